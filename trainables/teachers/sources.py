"""Where a teacher's weights come from, settled before anything is trained."""

from typing import NamedTuple

from trainables.config import TeacherConfig, TrialConfig
from trainables.data import load_data
from trainables.machine.hardware import pick_device
from trainables.models import Network
from trainables.models.checkpoint_facts import CheckpointFacts, Standardising, checkpoint_facts
from trainables.models.checkpoints import load_weights
from trainables.models.fitting import side_made_for
from trainables.models.normalization import KNOWN, ChannelStatistics
from trainables.networks import build_network
from trainables.teacher_config import AUTO
from trainables.teacher_registry import file_of, teachers_folder


class Source(NamedTuple):
    """A teacher of which nothing is left open."""

    architecture: str
    standardising: Standardising
    resolution: int | None
    file: CheckpointFacts | None
    """None for a teacher that is trained here."""

    @property
    def published(self) -> bool:
        """Whether it must compute what others' code does."""
        return self.file is not None and not self.file.ours

    def as_trial(self, config: TrialConfig) -> TrialConfig:
        """The training run that this teacher stands for, for a trial's data and threat model."""
        teacher = teacher_of(config)
        settled = {"architecture": self.architecture, "normalization": self.standardising}
        named = config.model_copy(update={"teacher": teacher.model_copy(update=settled)})
        return named.teacher_trial()


def teacher_of(config: TrialConfig) -> TeacherConfig:
    """The trial's teacher.

    Raises:
        ValueError: if it has none.
    """
    if config.teacher is None:
        raise ValueError("this trial has no teacher")
    return config.teacher


def settle(config: TrialConfig) -> Source:
    """Read what the teacher's file says, and decide what the config leaves open.

    Raises:
        ValueError: if the file is not there, cannot be read, or is of another architecture.
    """
    teacher = teacher_of(config)
    if not teacher.from_file:
        standardising: Standardising = "none" if teacher.normalization == "none" else "data"
        return Source(teacher.architecture, standardising, None, None)
    if teacher.checkpoint is None:
        assert teacher.name is not None
        path = file_of(teacher.name, teachers_folder(config.data.root))
    else:
        path = teacher.checkpoint.expanduser()
    named = None if teacher.architecture == AUTO else teacher.architecture
    facts = checkpoint_facts(path, named)
    resolution = teacher.resolution or facts.resolution
    return Source(facts.architecture, _standardising(teacher, facts), resolution, facts)


def _standardising(teacher: TeacherConfig, facts: CheckpointFacts) -> Standardising:
    said = teacher.normalization
    if isinstance(said, ChannelStatistics):
        return said
    if said in KNOWN:
        return KNOWN[said]
    if said == "auto":
        return facts.normalization or facts.usual_normalization or "data"
    return "none" if said == "none" else "data"


def normalization_is_guessed(config: TrialConfig, source: Source) -> bool:
    """Whether neither the config, nor the file, nor its layout says how images are standardised."""
    if source.file is None or teacher_of(config).normalization != "auto":
        return False
    return source.file.normalization is None and source.file.usual_normalization is None


def refuse_other_data(config: TrialConfig, source: Source) -> None:
    """Compare a file with the trial's data.

    Raises:
        ValueError: if it is of another data set, number of classes, channels or image size.
    """
    facts, name = source.file, config.data.name
    if facts is None:
        return
    if facts.data not in {None, name}:
        raise ValueError(
            f"teacher {facts.path} was trained on {facts.data!r}, but data is {name!r}; name a "
            "teacher of the same data"
        )
    data = load_data(config.data, pick_device(config.hardware.device))
    channels, height, width = data.image_shape
    other = "name a teacher of the same data"
    for what, values in {
        "classes": (facts.num_classes, data.num_classes),
        "channels": (facts.channels, channels),
    }.items():
        _refuse_other(facts, what, values, f"data {name!r}; {other}")
    if source.resolution and height != width:
        raise ValueError(
            f"resolution needs square images, but those of data {name!r} have {width}x{height} "
            f"pixels, got {source.resolution}; leave resolution out"
        )
    seen = f"resolution {source.resolution}" if source.resolution else f"data {name!r}"
    side, made_for = source.resolution or height, facts.image_size
    if made_for is None and source.published:
        made_for = side_made_for(source.architecture, side)
    advice = f"{seen}; set the teacher's resolution to {made_for}"
    _refuse_other(facts, "pixels a side", (made_for, side), advice)
    if isinstance(source.standardising, ChannelStatistics):
        source.standardising.of_channels(channels)


def _refuse_other(
    facts: CheckpointFacts, what: str, values: tuple[int | None, int], rest: str
) -> None:
    theirs, ours = values
    if theirs is not None and theirs != ours:
        raise ValueError(
            f"teacher {facts.path} is made for {theirs} {what}, not for the {ours} of {rest}"
        )


def network_from_file(config: TrialConfig) -> Network:
    """The trial's teacher as its file has it, on the trial's device.

    Raises:
        ValueError: if it does not fit the trial.
    """
    source = settle(config)
    refuse_other_data(config, source)
    assert source.file is not None
    network = build_network(
        config,
        source.architecture,
        as_normalize(source.standardising),
        resolution=source.resolution,
        published=source.published,
    )
    load_weights(network, source.file.path, source.architecture)
    return network


def as_normalize(standardising: Standardising) -> bool | ChannelStatistics:
    """As :func:`build_network` takes it."""
    return standardising != "none" if isinstance(standardising, str) else standardising
