"""A study of nine trials for tests of ledgers, and a report of one."""

STUDY = {
    "name": "small",
    "trials": 9,
    "base": {"epochs": 2, "student": {"architecture": "small_resnet6"}},
    "teachers": {"resnet": {"architecture": "small_resnet8"}},
    "baselines": {"AT only": {"method": {"name": "adversarial_training"}}},
    "ranges": {"student/architecture": ["small_resnet6", "vit_pico_patch2_8"]},
    "sampler": {"name": "random"},
}
REPORT = {"epoch": 2, "val/clean_accuracy": 0.9, "val/robust_accuracy": 0.4}
