"""Data sets by name."""

from trainables.data.sets.base import DataSet as DataSet
from trainables.data.sets.base import Parts as Parts
from trainables.data.sets.digits import digits, digits_sizes, num_digits
from trainables.data.sets.downloads import cifar10, cifar100, svhn
from trainables.data.sets.drawn_glyphs import NUM_GLYPHS, drawn_glyphs, glyphs_sizes
from trainables.data.sets.folders import folder, imagenet
from trainables.data.sets.tiny_imagenet import tiny_imagenet
from trainables.data.sizes import nominal
from trainables.glyphs import MAX_CLASSES

DATASETS: dict[str, DataSet] = {
    "digits": DataSet(digits, 10, 10, num_digits, digits_sizes),
    "glyphs": DataSet(drawn_glyphs, 10, MAX_CLASSES, lambda _: NUM_GLYPHS, glyphs_sizes),
    "cifar10": DataSet(cifar10, 10, 10, lambda c: 6_000 * c, nominal(50_000, 10_000, 10)),
    "cifar100": DataSet(cifar100, 100, 100, lambda c: 600 * c, nominal(50_000, 10_000, 100)),
    # the last two have not as many images of every class: of fewer classes, only the files tell
    "svhn": DataSet(svhn, 10, 10, lambda _: 99_289),
    "tiny_imagenet": DataSet(
        tiny_imagenet,
        classes=200,
        max_classes=200,
        num_images=lambda c: 550 * c,
        sizes=nominal(100_000, 10_000, 200),
        resolution=64,
        has_files=True,
    ),
    "imagenet": DataSet(
        imagenet,
        classes=1_000,
        max_classes=1_000,
        num_images=lambda _: 1_331_167,
        resolution=224,
        has_files=True,
        needs_path=True,
    ),
    "folder": DataSet(folder, has_files=True, needs_path=True),
}
