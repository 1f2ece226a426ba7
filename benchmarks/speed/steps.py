"""Our step against the floor and against the plain loop, side by side in every round."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.speed.cases import METHODS
from benchmarks.speed.setting import PlainSetting, Setting, Size

Row = dict[str, Any]


def compare(
    methods: Sequence[str],
    students: Sequence[str],
    size: Size,
    hardware: Mapping[str, Any],
    rounds: int,
) -> list[Row]:
    """A row per method and student; prints each when it is there."""
    print(
        f"{'method':<14} {'student':<12} {'ms/step':>9} {'/ floor':>18} {'plain /':>18} {'MiB':>7}"
    )
    rows = []
    for method in methods:
        for student in students:
            try:
                rows.append(measured(method, student, size, hardware, rounds))
                print(line(rows[-1]), flush=True)
            except (ValueError, RuntimeError) as error:  # the other rows are worth having
                first_line = str(error).partition("\n")[0]
                rows.append({"method": method, "student": student, "error": first_line})
                print(f"{method:<14} {student:<12} FAILED: {first_line}", flush=True)
    return rows


def measured(
    method: str, student: str, size: Size, hardware: Mapping[str, Any], rounds: int
) -> Row:
    """Medians over the rounds, and the spread of each round's ratios."""
    setting = Setting(method, student, size, hardware)
    plain = PlainSetting(setting)
    setting.warm_up()
    setting.floor()
    timed = [(setting.ours(), setting.sum_of_passes(), plain.seconds()) for _ in range(rounds)]
    ours, floor, slow = zip(*timed, strict=True)
    return {
        "method": method,
        "student": student,
        "passes": dict(METHODS[method].passes),
        "seconds": {"ours": ours, "floor": floor, "plain": slow},
        "images_per_second": size.batch / statistics.median(ours),
        "to_floor": spread([a / b for a, b in zip(ours, floor, strict=True)]),
        "plain_to_ours": spread([b / a for a, b in zip(ours, slow, strict=True)]),
        "peak_mib": setting.peak_mib(),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def line(row: Row) -> str:
    floor, plain = (
        f"{row[key]['median']:.2f} ({row[key]['min']:.2f}-{row[key]['max']:.2f})"
        for key in ("to_floor", "plain_to_ours")
    )
    peak = "-" if row["peak_mib"] is None else f"{row['peak_mib']:.0f}"
    milliseconds = 1e3 * statistics.median(row["seconds"]["ours"])
    return (
        f"{row['method']:<14} {row['student']:<12} {milliseconds:>9.1f} {floor:>18} "
        f"{plain:>18} {peak:>7}"
    )
