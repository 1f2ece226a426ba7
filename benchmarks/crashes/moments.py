"""The exact moments at which a process can be made to die, by what is going on then."""

MOMENTS: dict[str, tuple[str, ...]] = {
    "before the first trial": ("half study.yaml", "after study.yaml", "before prepare_teachers"),
    "while a teacher is written": ("half small_resnet6-*.pt",),
    "between ask and start": ("before Ledger.enter", "after Ledger.enter"),
    "between training and report": ("before Ledger.report",),
    "between report and verdict": ("after Ledger.report",),
    "between verdict and end": ("before Ledger._end", "after Ledger._end"),
    "between end and files": (
        "before Search._end",
        "before TrialFiles.update",
        "half metrics.csv",
        "before metrics.csv",
        "after metrics.csv",
        "half config.yaml",
    ),
    "between ledger and MLflow": (
        "before MlflowStudy._create",
        "after MlflowStudy._create",
        "before MlflowStudy._write_params",
        "after MlflowStudy._write_reports",
        "before MlflowStudy._write_status",
    ),
    "at the end of the study": (
        "before write_front",
        "half front.html",
        "before write_as_it_stands",
        "half report.html",
        "after report.html",
        "before MlflowStudy.finish",
        "after MlflowStudy.finish",
    ),
    "while a checkpoint is written": (
        "half checkpoint.pt",
        "before checkpoint.pt",
        "after checkpoint.pt",
    ),
}
"""Moments by the phase they belong to; the last phase kills an actor, all others the driver."""

AT_START = ("before the first trial", "while a teacher is written")
AT_END = "at the end of the study"


def phase_of(moment: str) -> str:
    """What is going on at a moment."""
    return next(phase for phase, moments in MOMENTS.items() if moment in moments)
