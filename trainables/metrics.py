"""The metrics that a trial reports and a study can optimise."""

OBJECTIVES: dict[str, str] = {
    "val/clean_accuracy": "share of validation images classified right, in [0, 1]",
    "val/robust_accuracy": "share right under the validation attack (margin PGD), in [0, 1]",
    "val/variance_gap": "feature variance under attack minus clean, relative to clean",
    "student/parameters": "trainable numbers of the student",
    "student/multiply_adds": "of the student's forward pass of one image",
    "student/latency_ms": "the student's time for one image on this machine, in milliseconds; "
    "only where validation.latency is on",
}
