"""Data sets by name."""

from trainables.data.sets.base import DataSet as DataSet
from trainables.data.sets.base import Parts as Parts
from trainables.data.sets.digits import digits_sizes, load_digits, num_digits
from trainables.data.sets.downloads import load_cifar10, load_cifar100, load_svhn
from trainables.data.sets.folders import load_folder, load_imagenet
from trainables.data.sets.glyphs import NUM_GLYPHS, glyphs_sizes, load_glyphs
from trainables.data.sets.tiny_imagenet import load_tiny_imagenet
from trainables.data.sizes import nominal
from trainables.glyphs import MAX_CLASSES

DATASETS: dict[str, DataSet] = {
    "digits": DataSet(load_digits, 10, 10, num_digits, digits_sizes),
    "glyphs": DataSet(load_glyphs, 10, MAX_CLASSES, lambda _: NUM_GLYPHS, glyphs_sizes),
    "cifar10": DataSet(load_cifar10, 10, 10, lambda c: 6_000 * c, nominal(50_000, 10_000, 10)),
    "cifar100": DataSet(load_cifar100, 100, 100, lambda c: 600 * c, nominal(50_000, 10_000, 100)),
    # the last two have not as many images of every class: of fewer classes, only the files tell
    "svhn": DataSet(load_svhn, 10, 10, lambda _: 99_289),
    "tiny_imagenet": DataSet(
        load_tiny_imagenet,
        classes=200,
        max_classes=200,
        num_images=lambda c: 550 * c,
        sizes=nominal(100_000, 10_000, 200),
        resolution=64,
        has_files=True,
    ),
    "imagenet": DataSet(
        load_imagenet,
        classes=1_000,
        max_classes=1_000,
        num_images=lambda _: 1_331_167,
        resolution=224,
        has_files=True,
        needs_path=True,
    ),
    "folder": DataSet(load_folder, has_files=True, needs_path=True),
}
