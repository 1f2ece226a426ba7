"""Reading the small JSON files that the tuner leaves for itself."""

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file.

    Raises:
        ValueError: if the file holds something else.
        OSError: if it cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(_damaged(path)) from error
    if not isinstance(content, dict):
        raise ValueError(_damaged(path))
    return content


def _damaged(path: Path) -> str:
    return f"{path} is damaged: it must hold a JSON object; delete it, and what wrote it once more"
