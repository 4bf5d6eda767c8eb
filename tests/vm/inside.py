"""Inside the machine: runs pytest and writes each result at once, so that a machine which stops still has told the rest.

A test that takes longer than its limit is interrupted and fails; the next one runs."""

from __future__ import annotations

import json
import pathlib
import signal
import sys

import pytest

LAB = pathlib.Path("/lab")
LIMIT = 300  # seconds of the machine's own time for one test


class Report:
    def __init__(self):
        self.file = open(LAB / "results", "w", buffering=1)

    def write(self, **entry):
        self.file.write(json.dumps(entry) + "\n")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item, nextitem):
        self.write(began=item.nodeid)
        signal.alarm(LIMIT)
        yield
        signal.alarm(0)

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome != "passed":
            self.write(name=report.nodeid.rpartition("/")[2], verdict=report.outcome, reason=reason_of(report))


def reason_of(report) -> str:
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2]
    if not report.failed:
        return ""
    crash = getattr(report.longrepr, "reprcrash", None)
    return f"{crash.message.splitlines()[0]} (line {crash.lineno})" if crash else str(report.longrepr).strip().splitlines()[-1]


def give_up(*_):
    raise TimeoutError(f"still running after {LIMIT} s")


signal.signal(signal.SIGALRM, give_up)
status = pytest.main(["-q", "-p", "no:cacheprovider", "--durations=5", *sys.argv[1:]], plugins=[Report()])
(LAB / "finished").write_text(str(int(status)))
