"""Networks as programs: every family of students, any batch, normalisation inside."""

import subprocess
import sys

import onnx
import pytest
import torch

from trainables.models import create_network
from trainables.programs.packaging import load_pt2, need_for_onnx, program_of, write_onnx, write_pt2
from trainables.programs.timing import one_thread, timed

DIGITS, COLOUR = (1, 8, 8), (3, 32, 32)
FAMILIES = {
    "small_resnet6": DIGITS,
    "wide_resnet_10_1": DIGITS,
    "vit_pico_patch2_8": DIGITS,
    "cifar_resnet18": COLOUR,
    "cifar_mobilenetv2": COLOUR,
    "convnext_atto": COLOUR,
}


def untrained(architecture, shape):
    return create_network(
        architecture,
        image_shape=shape,
        num_classes=10,
        mean=[0.4] * shape[0],
        std=[0.25] * shape[0],
    )


@pytest.fixture
def student():
    return untrained("small_resnet6", DIGITS)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", FAMILIES)
def test_a_program_of_every_family_says_what_the_network_says(architecture, tmp_path):
    network = untrained(architecture, FAMILIES[architecture])
    program = program_of(network, FAMILIES[architecture])
    classifiers = [
        write_pt2(program, tmp_path / "student.pt2"),
        write_onnx(program, tmp_path / "student.onnx", facts={}),
    ]

    for count in (1, 3):
        images = torch.rand(count, *FAMILIES[architecture])
        with torch.no_grad():
            expected = network.eval()(images)
        for classify in classifiers:
            torch.testing.assert_close(classify(images), expected, rtol=1e-4, atol=1e-5)


def test_exporting_leaves_the_network_as_it_is(student):
    student.train()
    student.model.fc.eval()
    before = {key: value.clone() for key, value in student.state_dict().items()}

    program_of(student, DIGITS)

    torch.testing.assert_close(student.state_dict(), before, rtol=0, atol=0)
    assert (student.training, student.model.fc.training) == (True, False)


def test_a_program_can_be_attacked(student, tmp_path):
    path = tmp_path / "student.pt2"
    write_pt2(program_of(student, DIGITS), path)
    images = torch.rand(2, *DIGITS, requires_grad=True)

    torch.export.load(path).module()(images).sum().backward()

    assert images.grad.abs().sum() > 0


@pytest.mark.slow
def test_the_onnx_file_names_its_ends_and_keeps_facts(student, tmp_path):
    path = tmp_path / "student.onnx"
    write_onnx(program_of(student, DIGITS), path, facts={"config": "{}"})

    model = onnx.load(path)

    (images,), (logits,) = model.graph.input, model.graph.output
    assert (images.name, logits.name) == ("images", "logits")
    shape = images.type.tensor_type.shape.dim
    assert [shape[0].dim_param, *(d.dim_value for d in shape[1:])] == ["batch", *DIGITS]
    assert {entry.key: entry.value for entry in model.metadata_props} == {"config": "{}"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["student.onnx"]


@pytest.mark.slow
def test_exporting_prints_nothing(tmp_path):
    program = f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
import torch
from pathlib import Path
from trainables.models import create_network
from trainables.programs.packaging import program_of, write_onnx, write_pt2
shape = (1, 8, 8)
network = create_network("small_resnet6", image_shape=shape, num_classes=10, mean=[0.], std=[1.])
program = program_of(network, shape)
write_pt2(program, Path({str(tmp_path / "a.pt2")!r}))
write_onnx(program, Path({str(tmp_path / "a.onnx")!r}), facts={{}})
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert (result.stdout, result.stderr) == ("", "")


def test_what_cannot_be_exported_is_one_sentence():
    class Asking(torch.nn.Module):
        def forward(self, images):
            return images if images.sum() > 0 else -images

    with pytest.raises(ValueError, match="the network cannot be exported: "):
        program_of(Asking(), DIGITS)


def test_a_file_is_whole_or_not_there(student, tmp_path):
    path = tmp_path / "nowhere" / "student.pt2"

    with pytest.raises((OSError, RuntimeError)):
        write_pt2(program_of(student, DIGITS), path)

    assert list(tmp_path.iterdir()) == []


def test_a_written_program_is_read_from_its_file(student, tmp_path):
    write_pt2(program_of(student, DIGITS), tmp_path / "student.pt2")
    images = torch.rand(4, *DIGITS)

    with torch.no_grad():
        expected = student.eval()(images)

    torch.testing.assert_close(load_pt2(tmp_path / "student.pt2")(images), expected)


def test_missing_packages_are_named_with_what_to_install():
    sentence = need_for_onnx(["onnx", "onnxscript"])

    assert "not installed (onnx, onnxscript)" in sentence
    assert "pip install 'robust-distillation-tuner[onnx]'" in sentence


def test_a_time_is_the_median_of_several_passes():
    passes = []

    timing = timed(lambda images: passes.append(images) or images, torch.zeros(1))

    assert timing.median_ms >= 0
    assert len(passes) == timing.runs + 3


def test_one_thread_is_given_back():
    torch.set_num_threads(2)
    try:
        with one_thread():
            inside = torch.get_num_threads()
        assert (inside, torch.get_num_threads()) == (1, 2)
    finally:
        torch.set_num_threads(1)
