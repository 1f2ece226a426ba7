"""The page that goes with a packaged student: what it is, how good, and where that ends."""

from collections.abc import Mapping
from typing import Any

from trainables.measuring.intervals import wilson
from trainables.programs.agreement import Agreement
from tuner.exporting.made_with import commit, listed
from tuner.packaging.data_licences import data_licence, student_licence
from tuner.packaging.facts import (
    cpu,
    loss_in_words,
    markdown,
    row,
    table,
    target_attack,
    threat_words,
)
from tuner.packaging.making import BATCHES, Package
from tuner.plain_yaml import yaml_text
from tuner.quantities import count

LOAD_ONNX = """import numpy as np, onnxruntime

session = onnxruntime.InferenceSession("student.onnx")
images = np.full((1, {shape}), 0.5, np.float32)  # your images, in [0, 1]
(logits,) = session.run(["logits"], {{"images": images}})
classes = logits.argmax(axis=1)
"""
LOAD_PT2 = """import torch

student = torch.export.load("student.pt2").module()
images = torch.full((1, {shape}), 0.5)  # your images, in [0, 1]
classes = student(images).argmax(dim=1)
"""


def model_card(package: Package) -> str:
    """The page in Markdown, under front matter as the Hugging Face hub reads it."""
    config = package.target.config
    name = f"{package.target.architecture} on {config.data.name}"
    sections = {
        "Accuracy": _accuracy(package),
        "Use": _use(package),
        "What it is not": _limits(package),
        "How it was trained": _training(package),
        "Files and speed": _files(package) + "\n" + _speed(package),
        "Do the files agree?": _agreement(package),
        "Where it comes from": _origin(package),
        "Licence": _licence(package),
    }
    body = "\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    head = f"---\n{_front_matter(package, name)}---\n\n# {markdown(name)}\n"
    return f"{head}\n{_opening(package)}\n{body}"


def _opening(package: Package) -> str:
    channels, height, width = package.data.image_shape
    size = count(sum(p.numel() for p in package.target.network.parameters()))
    return (
        f"A small image classifier, trained to hold against {threat_words(package)}: "
        f"{size} parameters, {package.data.num_classes} classes, images of "
        f"{channels} x {height} x {width}. Normalisation is inside.\n"
    )


def _front_matter(package: Package, name: str) -> str:
    data, found = package.target.config.data.name, package.network
    metrics = {
        "clean accuracy": found.clean_accuracy,
        f"robust accuracy, {target_attack(package)}": found.robust_accuracy,
    }
    results = {
        "task": {"type": "image-classification"},
        "dataset": {"name": data, "type": data, "split": f"test[:{found.images}]"},
        "metrics": [
            {"type": "accuracy", "name": metric, "value": round(value, 4)}
            for metric, value in metrics.items()
        ],
    }
    content = {
        "license": student_licence(data),
        "pipeline_tag": "image-classification",
        "tags": ["adversarial-robustness", "knowledge-distillation", *_tags(package)],
        "metrics": ["accuracy"],
        "model-index": [{"name": name, "results": [results]}],
    }
    return yaml_text(content, width=100)


def _tags(package: Package) -> list[str]:
    known = {"student.onnx": "onnx", "student.pt2": "pytorch"}
    return [tag for name, tag in known.items() if name in package.agreements]


def _accuracy(package: Package) -> str:
    found = package.network
    rows = [
        row("no attack", "test", found.images, found.clean_correct),
        row(target_attack(package), "test", found.images, found.robust_correct),
        *_evaluated(package.evaluation),
    ]
    text = table(("under", "images", "n", "accuracy, %", "95 % interval"), rows)
    origin = package.provenance
    if origin is not None:
        text += f"\nIn the study that it comes from: {markdown('; '.join(origin.sentences()))}.\n"
    evaluation = package.evaluation or {}
    attacks = [str(one["attack"]) for one in evaluation.get("accuracies", ())]
    if not any(attack.startswith("AutoAttack") for attack in attacks):
        text += (
            "\nPGD bounds robust accuracy from above only, and AutoAttack was not run on this "
            f"student: `tuner evaluate {package.target.path} --attack autoattack`.\n"
        )
    if evaluation.get("verdict"):
        told = markdown(evaluation["verdict"])
        text += f"\nIs the robustness real, or are gradients masked? By the gates: {told}.\n"
    return text


def _evaluated(evaluation: Mapping[str, Any] | None) -> list[list[str]]:
    """What ``tuner evaluate`` measured of the same weights."""
    if evaluation is None:
        return []
    return [
        row(_under(one), evaluation["split"], one["total"], one["correct"])
        for one in evaluation["accuracies"]
    ]


def _under(one: Mapping[str, Any]) -> str:
    if not one["epsilon"]:
        return "no attack"
    return f"{one['attack']}, {one['norm']} epsilon {one['epsilon']:.4g}"


def _use(package: Package) -> str:
    shape = ", ".join(map(str, package.data.image_shape))
    blocks = {"student.onnx": LOAD_ONNX, "student.pt2": LOAD_PT2}
    code = "\n".join(
        f"```python\n{block.format(shape=shape)}```\n"
        for name, block in blocks.items()
        if name in package.agreements
    )
    return (
        f"Input: float32 `(batch, {shape})`, any batch, values in [0, 1] and not standardised. "
        f"{_scaling(package)}Output: logits `(batch, {package.data.num_classes})`."
        f"\n\n{code}"
    )


def _scaling(package: Package) -> str:
    highest = package.split.highest
    return f"Grey levels from 0 to {highest} are divided by {highest}. " if highest > 1 else ""


def _limits(package: Package) -> str:
    low, high = wilson(package.network.robust_accuracy, package.network.images)
    points = [
        f"Robust means: against {threat_words(package)}. Larger changes, other norms, rotations, "
        "occlusions, weather, noise and patches were not measured; expect them to fool it.",
        f"The robust accuracy is that of one attack on {package.network.images} images "
        f"({100 * low:.1f} to {100 * high:.1f} %); a stronger attack finds less.",
        f"It always answers with one of its {package.data.num_classes} classes, also for images "
        "that show none of them, and its logits are no calibrated probabilities.",
        "Where a study chose it, it did so by the validation images, whose numbers are therefore "
        "optimistic; picked on verified numbers, the test images took part in the choice, too.",
        *package.target.notes,
    ]
    return "".join(f"- {markdown(point)}\n" for point in points)


def _training(package: Package) -> str:
    config = package.target.config
    teacher = (
        config.teacher.label if config.teacher is not None and config.needs_teacher else "none"
    )
    rows = [
        ["student", config.student.architecture],
        ["teacher", teacher],
        ["loss", loss_in_words(config)],
        ["data", f"{config.data.name}, {package.data.num_classes} classes"],
        ["threat model", threat_words(package)],
        ["epochs", str(config.epochs)],
        ["seed", str(config.seed)],
    ]
    return (
        table(("", ""), rows)
        + "\nThe whole config is in `config.yaml`: `tuner train config.yaml`.\n"
    )


def _files(package: Package) -> str:
    rows = [[f"`{name}`", f"{size / 1000:,.1f} kB"] for name, size in package.sizes.items()]
    return table(("file", "size"), rows)


def _speed(package: Package) -> str:
    rows = [
        [runtime, *(f"{times[n].median_ms:.3g} (of {times[n].runs})" for n in BATCHES)]
        for runtime, times in package.timings.items()
    ]
    heads = ("median ms", *(f"{n} image{'s' * (n > 1)}" for n in BATCHES))
    return (
        f"{table(heads, rows)}\nOne thread of {markdown(cpu())}, whatever else it did meanwhile.\n"
    )


def _agreement(package: Package) -> str:
    rows = [_agreed(name, found) for name, found in package.agreements.items()]
    heads = ("file", "largest difference of a logit", "other predictions", "clean %", "robust %")
    found = package.network
    return (
        f"{table(heads, [_agreed('PyTorch', found), *rows])}\n"
        f"On the first {found.images} test images and the same attacked against the PyTorch "
        f"student by {target_attack(package)}.\n"
    )


def _agreed(name: str, found: Agreement) -> list[str]:
    return [
        name,
        f"{found.max_difference:.2g}",
        str(len(found.differing)),
        f"{100 * found.clean_accuracy:.1f}",
        f"{100 * found.robust_accuracy:.1f}",
    ]


def _origin(package: Package) -> str:
    origin = package.provenance
    rows = [["checkpoint", str(package.target.path)]]
    if origin is not None:
        rows += [
            ["study", origin.study],
            ["trial", f"{origin.trial} ({origin.label})"],
            ["trial ended", origin.ended or "unknown"],
            ["exported at commit", origin.exported.commit or "unknown"],
        ]
    rows += [
        ["packaged at commit", commit() or "unknown"],
        ["versions", listed(package.versions)],
    ]
    return table(("", ""), rows)


def _licence(package: Package) -> str:
    data = package.target.config.data.name
    return (
        "The project that made it, this page and, unless whoever trained it says otherwise, the "
        f"weights are under Apache-2.0. Data: {data_licence(data)}\n"
    )
