"""A verification as files: JSON with everything, CSV with the numbers, a picture."""

import csv
import io
import json
from pathlib import Path

from tuner.storage.atomic import write_atomically
from tuner.verification.measured import DERIVED, FILE, Verification
from tuner.verification.picture import verification_png
from tuner.verification.table import verification_rows


def write_files(found: Verification, folder: Path) -> list[Path]:
    """Write ``verification.json``, ``.csv`` and ``.png``; last the JSON, which is loaded."""
    content = {**found.model_dump(mode="json"), DERIVED: verification_rows(found)}
    return [
        write_atomically(folder / "verification.csv", verification_csv(found)),
        write_atomically(folder / "verification.png", verification_png(found)),
        write_atomically(folder / FILE, json.dumps(content, indent=1, allow_nan=False) + "\n"),
    ]


def verification_csv(found: Verification) -> str:
    """A line per member, after a line of headings."""
    rows = verification_rows(found)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
