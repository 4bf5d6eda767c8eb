"""What a benchmark returns, and the few statistics it needs. No figure is kept here: all of them are measured."""

from __future__ import annotations

import dataclasses
import math
import statistics

INTERVALS = {"1s": 1.0, "100ms": 0.1, "10ms": 0.01}
PRIORITY = {"lb1": 200, "lb2": 100}


@dataclasses.dataclass
class Figure:
    """One line of the table. `ok` is None when nothing is required of this line."""
    row: str
    cell: str
    keepalived: str
    holdfast: str
    required: str
    ok: bool | None
    note: str = ""
    data: dict = dataclasses.field(default_factory=dict)

    @property
    def verdict(self) -> str:
        return {True: "ok", False: "MISSED", None: "-"}[self.ok]


def median(values) -> float:
    return statistics.median(values) if values else math.nan


def percentile(values, part: float) -> float:
    """The smallest value that is not exceeded by `part` of them: the largest of all when they are few."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)] if ordered else math.nan


def spread(values, unit: str = "", digits: int = 0) -> str:
    """median (min..max) of n"""
    if not values:
        return "none"
    if min(values) == max(values):
        return f"{values[0]:.{digits}f}{unit} (n={len(values)})"
    return f"{median(values):.{digits}f}{unit} ({min(values):.{digits}f}..{max(values):.{digits}f}, n={len(values)})"


def skew(host: str, interval: float) -> float:
    return interval * (256 - PRIORITY[host]) / 256


def master_down(host: str, interval: float) -> float:
    return 3 * interval + skew(host, interval)


def lateness(stamps, interval: float) -> list[float]:
    """How late each stamp is on its own grid: the earliest one is taken to be on time."""
    if len(stamps) < 2:
        return []
    first = stamps[0]
    offsets = [stamp - first - round((stamp - first) / interval) * interval for stamp in stamps]
    earliest = min(offsets)
    return [offset - earliest for offset in offsets]
