"""Names that may become folders on every system."""

LONGEST = 100
"""Characters; file systems allow 255 bytes, and more is added to the name."""

DEVICES = {
    "CON",
    "PRN",
    "AUX",
    "NUL",
    *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10)),
}
"""What Windows takes for devices, whatever follows after a dot."""


def folder_name(name: str) -> str:
    """The name itself.

    Raises:
        ValueError: if some system would not take it as the name of a folder.
    """
    if len(name) > LONGEST:
        raise ValueError(f"name must have at most {LONGEST} characters, got {len(name)}")
    if name.endswith(".") or name.partition(".")[0].upper() in DEVICES:
        raise ValueError(
            f"name must be one that every system can give a folder: no device of Windows and no "
            f"dot at its end, got {name!r}"
        )
    return name
