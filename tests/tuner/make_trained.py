"""Studies whose students are there: networks as they begin, with the files that workers leave."""

import json
import shutil

import yaml
from make_records import make_record, make_study

from trainables.config import TrialConfig
from trainables.distillation import Distillation
from trainables.machine.hardware import machine
from trainables.models.checkpoints import save_atomically
from tuner.analysis.results import Results
from tuner.storage.directory import StudyDirectory

EPOCHS = 3
TRIAL = TrialConfig.model_validate(
    {
        "student": {"architecture": "small_resnet6"},
        "threat": {"epsilon": 0.1},
        "epochs": EPOCHS,
        "hardware": {"device": "cpu"},
    }
)
STUDY = make_study(name="trained", base=TRIAL.model_dump(mode="json"))


def make_results(*points, study=STUDY):
    """Complete trials 0, 1, … of the student with these clean and robust accuracies."""
    config = TRIAL.model_dump(mode="json")
    return Results(study, [make_record(i, *point, config=config) for i, point in enumerate(points)])


def write_trials(directory, numbers):
    """``study.yaml``, and the config, machine and checkpoint of each trial."""
    distillation = Distillation.build(TRIAL)
    place = StudyDirectory(directory)
    first = place.trial(numbers[0])
    first.mkdir(parents=True)
    (first / "config.yaml").write_text(yaml.safe_dump(TRIAL.model_dump(mode="json")))
    (first / "machine.json").write_text(json.dumps(machine(distillation.hardware)))
    save_atomically({**distillation.state_dict(), "epoch": EPOCHS}, first / "checkpoint.pt")
    for number in numbers[1:]:
        shutil.copytree(first, place.trial(number))
    place.config.write_text(yaml.safe_dump(STUDY.model_dump(mode="json")))
    return distillation.student.eval()
