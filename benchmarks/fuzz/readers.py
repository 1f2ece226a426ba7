"""The product's readers, each asked for all that it does with a file."""

from pathlib import Path

from PIL import Image

from benchmarks.fuzz.seeds import TRIAL
from trainables.config import TrialConfig
from trainables.data.config import ExtraConfig
from trainables.data.decoding import decode
from trainables.data.extra import open_extra
from trainables.distillation import Distillation
from trainables.models.checkpoint_facts import checkpoint_facts
from trainables.models.checkpoints import load_weights, read_checkpoint
from trainables.networks import build_network
from trainables.teachers import prepared_network
from trainables.teachers.stored import prepared
from tuner.diagnosis.measures import find_student
from tuner.evaluation.target import Foreign, find_target
from tuner.exporting.config_files import config_text
from tuner.exporting.provenance import read_provenance
from tuner.storage.atomic import write_atomically
from tuner.storage.directory import StudyDirectory
from tuner.study_file import load_study, load_trial
from tuner.verification.measured import FOLDER, load_verification

Image.init()  # Pillow imports its formats when it meets a file that it does not know

SMALL = TrialConfig.model_validate(TRIAL)


def study(path: Path) -> None:
    """As ``tuner run`` does before anything else: read, claim a directory, read that again."""
    found = load_study(path)
    place = StudyDirectory(path.parent / "runs" / found.name)
    place.claim(found)
    again = place.study()
    assert again == found, "what was written is not what was read"
    place.config.unlink()
    place.path.rmdir()


def trial(path: Path) -> None:
    """As ``tuner train``: read with its origin, and write it with comments."""
    found = load_trial(path)
    origin = read_provenance(path)
    target = path.with_name("again.yaml")
    text = config_text(found.model_dump(mode="json"), origin, target)
    again = load_trial(write_atomically(target, text))
    assert again == found, "what was written is not what was read"


def content(path: Path) -> None:
    """Only what is in a file of weights."""
    read_checkpoint(path)


def weights(path: Path) -> None:
    """As a teacher's or a student's file."""
    facts = checkpoint_facts(path)
    network = build_network(SMALL, facts.architecture, normalize=True)
    load_weights(network, path, facts.architecture)


def training_state(path: Path) -> None:
    """As training goes on from it, and as a student is evaluated."""
    Distillation.build(SMALL).load_state_dict(read_checkpoint(path))
    find_target(path, Foreign())


def student(path: Path) -> None:
    """As ``tuner evaluate`` and ``tuner diagnose`` read it."""
    find_target(path, Foreign())
    find_student(path)
    weights(path)


def teacher(path: Path) -> None:
    """As a trial reads a prepared one."""
    prepared(path, now=False)
    prepared_network(path, SMALL)


def further_images(path: Path) -> None:
    """As training mixes them in."""
    part = open_extra(ExtraConfig(path=path), (1, 8, 8), 10)
    part.source.levels(part.rows[:4])


def image(path: Path) -> None:
    """As a folder of images is read."""
    assert decode(str(path), 16).shape == (3, 16, 16)


def verification(path: Path) -> None:
    """As the front and the report show it."""
    folder = path.parent / FOLDER
    folder.mkdir(exist_ok=True)
    path.replace(folder / path.name)
    load_verification(path.parent)
