"""Under what terms the images of a data set may be used, as far as their authors say."""

LICENCES = {
    "digits": "Optical Recognition of Handwritten Digits (Alpaydin and Kaynak, UCI), as "
    "scikit-learn ships it: CC BY 4.0.",
    "glyphs": "Drawn by this project from a seed: no rights of others.",
    "cifar10": "CIFAR-10 (Krizhevsky, 2009): its authors name no licence.",
    "cifar100": "CIFAR-100 (Krizhevsky, 2009): its authors name no licence.",
    "svhn": "SVHN (Netzer et al., 2011): for non-commercial use only.",
    "tiny_imagenet": "Tiny ImageNet, images of ImageNet: for non-commercial research and "
    "education.",
    "imagenet": "ImageNet (Russakovsky et al., 2015): for non-commercial research and education.",
    "folder": "Your own images: their terms are not known here.",
}
"""By data set; what a student may be used for can depend on it."""


OPEN = ("digits", "glyphs")
"""Data sets whose terms allow everything that a student's own do."""


def student_licence(name: str) -> str:
    """What a model card's front matter may say of a student of these data: else ``other``."""
    return "apache-2.0" if name in OPEN else "other"


def data_licence(name: str) -> str:
    """What is known of a data set's terms."""
    return LICENCES.get(name, "The terms of these images are not known here.")
