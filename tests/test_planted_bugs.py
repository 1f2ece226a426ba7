"""Bugs of the field's public code, planted into a copy of ours: the tests must see each of them.

The list is that of published implementations of these papers, and of the usual slips.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).parent.parent
METHODS, ALIGNMENTS = "trainables/methods", "trainables/alignments"
FORMULAS = "tests/trainables/test_method_formulas.py"
GRADIENTS = "tests/trainables/test_input_gradient.py"
ATTACKS = "tests/trainables/test_attacks.py"
TRAINING = "tests/trainables/test_training.py"

BUGS = {
    "the aligned input gradient is detached (first KDIGA commits)": (
        f"{ALIGNMENTS}/input_gradient.py",
        "create_graph=exact, retain_graph=True)",
        "create_graph=False, retain_graph=True); gradient = gradient.detach()",
        GRADIENTS,
    ),
    "step size and epsilon are swapped (SAAD's baselines)": (
        "trainables/attacks.py",
        "step_size=step_size, steps=config.steps, start=start",
        "step_size=threat.epsilon, steps=config.steps, start=start",
        ATTACKS,
    ),
    "a pixel is 1/225 (a default in IGDM's code)": (
        "trainables/threat.py",
        "PIXEL = 1 / 255",
        "PIXEL = 1 / 225",
        "tests/trainables/test_threat.py",
    ),
    "AdaAD attacks the student alone (a copy of AdaAD)": (
        f"{METHODS}/divergence.py",
        "kl_per_image(student(images).float(), teacher(images).float())",
        "kl_per_image(student(images).float(), teacher(images).float().detach())",
        FORMULAS,
    ),
    "TRADES detaches the clean prediction (a copy of TRADES)": (
        f"{METHODS}/trades.py",
        "clean.detach() if self.detach_clean else clean",
        "clean.detach()",
        FORMULAS,
    ),
    "the divergence goes from the student to the teacher": (
        f"{METHODS}/divergence.py",
        "log_student, log_target, reduction",
        "log_target, log_student, reduction",
        FORMULAS,
    ),
    "tau squared is forgotten": (
        f"{METHODS}/divergence.py",
        "return temperature**2 * divergence",
        "return divergence",
        FORMULAS,
    ),
    "RSLAD asks the teacher about the adversarial image": (
        f"{METHODS}/rslad.py",
        "target = batch.clean.teacher.logits",
        "target = batch.adversarial.teacher.logits",
        FORMULAS,
    ),
    "IAD multiplies by the wrong trust": (
        f"{METHODS}/iad.py",
        "((1 - self.trust(batch)) * divergence)",
        "(self.trust(batch) * divergence)",
        FORMULAS,
    ),
    "MTARD gives more weight to what has fallen more": (
        f"{METHODS}/mtard.py",
        "goal = fallen_clean /",
        "goal = fallen_adversarial /",
        FORMULAS,
    ),
    "IGDM clamps x - d to the image range": (
        f"{METHODS}/batch.py",
        "2 * self.clean.images - self.adversarial.images)",
        "(2 * self.clean.images - self.adversarial.images).clamp(0, 1))",
        "tests/trainables/test_batch.py",
    ),
    "the batch's Frobenius norm is taken for the mean of norms (KDIGA's code)": (
        f"{ALIGNMENTS}/input_gradient.py",
        "return norms.mean()",
        "return torch.linalg.vector_norm(norms) / len(student)",
        GRADIENTS,
    ),
    "covariances are not centred": (
        f"{ALIGNMENTS}/second_moment.py",
        'samples = samples - (ranks.mean(mean) if axis == "channel" else mean)',
        "pass",
        "tests/trainables/test_moments.py",
    ),
    "every worker descends by its own gradient": (
        "trainables/training.py",
        "step.ranks.average(parameter.grad for parameter in parameters)",
        "pass",
        "tests/trainables/test_distributed.py -kplain",
    ),
    "every worker has a covariance of its own": (
        f"{ALIGNMENTS}/second_moment.py",
        "return ranks.total(samples.T @ samples) / count",
        "return samples.T @ samples / len(samples)",
        "tests/trainables/test_distributed.py -kspatial",
    ),
    "the learning rate falls once instead of twice (ARD's and IAD's code)": (
        "trainables/optimizing/optimizer.py",
        "(progress >= 0.5) + (progress >= 0.75)",
        "(progress >= 0.5)",
        "tests/trainables/test_distillation.py -klearning_rate",
    ),
    "the teacher stays in train mode": (
        "trainables/networks.py",
        "network.eval().requires_grad_(False)",
        "network.requires_grad_(False)",
        "tests/trainables/test_distillation.py -kteacher_stays",
    ),
    "the attack leaves the student in eval mode": (
        "trainables/models/network.py",
        "module.training = mode",
        "pass",
        TRAINING,
    ),
    "the averaged student shares the live one's buffers": (
        "trainables/optimizing/weight_averaging.py",
        "self.averaged.update_parameters(student)",
        "self.averaged.update_parameters(student); "
        "[setattr(a, 'running_mean', b.running_mean) for a, b in "
        "zip(self.averaged.module.modules(), student.modules()) if hasattr(b, 'running_mean')]",
        "tests/trainables/optimizing/test_weight_averaging.py",
    ),
    "mean and std do not move with the network (RSLAD's copy of DeepMind's net)": (
        "trainables/models/network.py",
        'self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)',
        "self.mean = torch.tensor(mean).view(1, -1, 1, 1)",
        "tests/trainables/test_models.py -knormalisation",
    ),
    "a prediction of NaN counts as class 0": (
        "trainables/evaluation.py",
        " & logits.isfinite().all(dim=1)",
        "",
        "tests/trainables/test_evaluation.py",
    ),
    "the attack leaves the ball": (
        "trainables/threat.py",
        "delta.clamp(-self.epsilon, self.epsilon)",
        "delta.clamp(-2 * self.epsilon, 2 * self.epsilon)",
        "tests/trainables/test_threat.py",
    ),
}


@pytest.fixture
def copy(tmp_path):
    """The tree without runs and caches."""
    for name in ("trainables", "tests/trainables"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "tests/conftest.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


PYTEST = """
import os, sys
import pytest, timm, torch, torchvision  # nothing of ours; most of what a run of pytest takes

for line in sys.stdin:
    *options, folder = line.split()
    if not (child := os.fork()):
        os.chdir(folder)
        output = os.open("output", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1), os.dup2(output, 2)
        os._exit(pytest.main(["-Wignore:Module already imported", *options]))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Runs pytest in a folder per line, in a process of its own that has PyTorch already."""


@pytest.fixture(scope="module")
def run_tests():
    """``run_tests(folder, *options)``: exit code and output of pytest in a folder."""
    command = [sys.executable, "-c", PYTEST]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as runner:

        def run(folder, *options):
            print(*options, folder, file=runner.stdin, flush=True)
            return int(runner.stdout.readline()), (folder / "output").read_text()

        yield run


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught(bug, copy, run_tests):
    file, right, wrong, tests = BUGS[bug]
    source = (copy / file).read_text()
    assert source.count(right) == 1, f"{file} has changed: {right!r} is not there once"
    (copy / file).write_text(source.replace(right, wrong))

    code, output = run_tests(copy, "-x", "-q", "-p", "no:cacheprovider", tests)

    assert code == 1, output[-2000:]  # 2 would be a copy that does not run
    assert "1 failed" in output
