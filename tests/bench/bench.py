"""holdfast beside Debian's keepalived, measured in the same run: the figures that the project promises.

    sudo ./dev bench [ROW...] [--runs N] [--interval 100ms]        rows: see --list

Prints a table and leaves it in build/bench/ (figures.json, figures.md). Exit status 1 when a figure missed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import time

import rows_load
import rows_moves
import rows_objects
import rows_scale
from figures import INTERVALS, Figure
from world import BUILD

ROWS = {name: (rows_moves.ROWS | rows_load.ROWS | rows_scale.ROWS | rows_objects.ROWS)[name]
        for name in ("planned", "restart", "takeover", "lease", "service", "heal", "pressure", "cpu", "instances", "many_links",
                     "addresses", "reload_address", "flood", "bus", "hang", "adopt", "objects", "soak")}


class Options:
    def __init__(self, arguments):
        self._runs = arguments.runs
        self.intervals = {name: INTERVALS[name] for name in (arguments.interval or INTERVALS)}

    def runs(self, usual: int) -> int:
        return self._runs or usual


def machine() -> dict:
    version = subprocess.run(["keepalived", "-v"], capture_output=True, text=True, check=False).stderr.split("\n")[0]
    return {"kernel": platform.release(), "processors": os.cpu_count(), "keepalived": version,
            "load": [round(x, 2) for x in os.getloadavg()], "began": time.strftime("%Y-%m-%d %H:%M:%S")}


def line(figure: Figure) -> str:
    note = f"  ({figure.note})" if figure.note else ""
    return (f"  {figure.cell}\n    keepalived  {figure.keepalived}\n    holdfast    {figure.holdfast}\n"
            f"    required    {figure.required}\n    {figure.verdict}{note}")


def markdown(machine_facts: dict, figures: list[Figure]) -> str:
    facts = ", ".join(f"{key} {value}" for key, value in machine_facts.items())
    lines = [facts, "", "| row | cell | keepalived | holdfast | required | verdict | load |", "|---|---|---|---|---|---|---|"]
    for f in figures:
        note = f"; {f.note}" if f.note else ""
        lines.append(f"| {f.row} | {f.cell} | {f.keepalived} | {f.holdfast} | {f.required} | {f.verdict}{note} | {f.data.get('load', '')} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev bench", description="figures beside keepalived")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="which rows; none: all")
    parser.add_argument("--runs", type=int, help="repetitions of each cell")
    parser.add_argument("--interval", action="append", choices=INTERVALS, help="only these advert intervals")
    parser.add_argument("--list", action="store_true", help="the rows, and no more")
    arguments = parser.parse_args()
    if arguments.list:
        for name, function in ROWS.items():
            print(f"{name:14} {function.__doc__}")
        return 0
    unknown = [row for row in arguments.rows if row not in ROWS]
    if unknown:
        parser.error(f"there is no row {', '.join(unknown)}; the rows are {', '.join(ROWS)}")

    def interrupted(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupted)
    options, facts, figures, broken = Options(arguments), machine(), [], 0
    print(", ".join(f"{key} {value}" for key, value in facts.items()))
    try:
        for name in arguments.rows or ROWS:
            print(f"\n{name}: {ROWS[name].__doc__}", flush=True)
            try:
                for figure in ROWS[name](options):
                    figure.data["load"] = round(os.getloadavg()[0], 2)
                    figures.append(figure)
                    print(line(figure), flush=True)
            except (TimeoutError, RuntimeError, subprocess.TimeoutExpired, KeyError, ValueError) as error:
                broken += 1
                figures.append(Figure(name, "broken off", "-", "-", "-", False, f"{type(error).__name__}: {error}"))
                print(line(figures[-1]), flush=True)
    except KeyboardInterrupt:
        return 130
    finally:
        directory = BUILD / "bench"
        directory.mkdir(exist_ok=True)
        (directory / "figures.json").write_text(
            json.dumps({"machine": facts, "figures": [dataclasses.asdict(f) for f in figures]}, indent=1) + "\n")
        (directory / "figures.md").write_text(markdown(facts, figures))
    missed = sum(f.ok is False for f in figures)
    print(f"\n{sum(f.ok is True for f in figures)} as required, {missed} missed, {sum(f.ok is None for f in figures)} without requirement; "
          f"{directory}/figures.md")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
