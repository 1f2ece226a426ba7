"""An allocator without room for the activations of a whole batch, from the second epoch on.

Python imports this file at its start in every process whose PYTHONPATH holds this folder. Students
that train on more images than ``MOST_IMAGES`` at once run out of memory.
"""

import importlib.abc
import importlib.machinery
import os
import sys

MOST_IMAGES = int(os.environ.get("MOST_IMAGES", "1000000"))


def shrink(training):
    losses = training.Step.losses

    def limited(step, batch):
        if step.progress > 0.5 and len(batch.labels) > MOST_IMAGES:
            import torch

            raise torch.OutOfMemoryError(f"tried to allocate {len(batch.labels)} images")
        return losses(step, batch)

    training.Step.losses = limited


class Loader(importlib.abc.Loader):
    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        shrink(module)


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, _target=None):
        if name != "trainables.training":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        spec.loader = Loader(spec.loader)
        return spec


sys.meta_path.insert(0, Finder())
