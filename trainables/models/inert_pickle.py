"""An unpickler in which nothing that a file names is ever executed.

PyTorch's ``weights_only`` refuses a whole file for one foreign object beside the tensors: the
accuracy as a NumPy number, the ``argparse`` options, the ``cox`` parameters of ``robustness``.
Here such an object becomes :class:`Inert`, and the tensors are read all the same.
"""

import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import _utils


class _InertType(type):
    """Calls and item assignments of the class change nothing."""

    def __call__(cls, *_: object, **__: object) -> Any:
        return Inert

    def __setitem__(cls, key: object, value: object) -> None:
        return None


class Inert(metaclass=_InertType):
    """Stands for everything that is not a plain value or a tensor; the class itself, no instance.

    Whatever a pickle does to an object (call it, make an instance, restore its state, append to
    it) gives this class again, and leaves it as it is.
    """

    dump_patches = False
    """PyTorch asks whether to write down how the source of a module in an old file differs."""

    def __new__(cls, *_: object, **__: object) -> Any:
        """The class itself."""
        return cls

    @staticmethod
    def _ignore(*_: object) -> None:
        return None

    __setstate__ = append = extend = add = _ignore


class _Function:
    """A function that a pickle may call, but not change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("a pickle must not change a function")


def _tensor(
    storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> Any:
    """Without the gradient flag, the hooks and the metadata that a file may add."""
    no_hooks: OrderedDict[Any, Any] = OrderedDict()
    rebuild: Callable[..., Any] = _utils._rebuild_tensor_v2
    return rebuild(storage, offset, size, stride, False, no_hooks)


def _parameter(data: Any, *_: Any) -> Any:
    return data


ALLOWED: dict[tuple[str, str], _Function] = {
    ("collections", "OrderedDict"): _Function(OrderedDict),
    ("torch", "Size"): _Function(torch.Size),
    ("torch._utils", "_rebuild_tensor"): _Function(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): _Function(_tensor),
    ("torch._utils", "_rebuild_parameter"): _Function(_parameter),
}
"""All that is ever called, by module and name; PyTorch itself reads the storages."""


class Read(NamedTuple):
    """What a file holds when nothing of it is executed."""

    content: Any
    """Plain values and tensors; entries that were something else are left out."""
    foreign: tuple[str, ...]
    """``module.name`` of everything that was not executed, in order."""


def read_inert(path: Path) -> Read:
    """Read a file of ``torch.save`` of any age, whichever pickle wrote it.

    To be called for files that ``torch.load(weights_only=True)`` refused as a pickle: it refuses
    TorchScript, which PyTorch would execute, before it looks at the pickle.

    Raises:
        Exception: of any kind, if the file is broken or made to break something.
    """
    foreign: dict[str, None] = {}

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str, /) -> Any:
            if (module, name) in ALLOWED:
                return ALLOWED[module, name]
            foreign[f"{module}.{name}"] = None
            return Inert

    def load(file: Any, **settings: Any) -> Any:
        return Unpickler(file, **settings).load()

    inert = SimpleNamespace(__name__=__name__, Unpickler=Unpickler, load=load)
    content = torch.load(path, map_location="cpu", weights_only=False, pickle_module=inert)
    return Read(_plain(content), tuple(foreign))


def _plain(content: Any) -> Any:
    """The content without inert entries of its dictionaries, lists and tuples."""
    if isinstance(content, dict):
        return {
            key: _plain(value)
            for key, value in content.items()
            if key is not Inert and not _is_inert(value)
        }
    if isinstance(content, (list, tuple)):
        return [_plain(value) for value in content if not _is_inert(value)]
    return content


def _is_inert(value: object) -> bool:
    return value is Inert or isinstance(value, _Function)
