"""Whether a promise was kept, as a client saw it; and when this machine was too late itself for anybody to tell.

A client begins a request every few milliseconds, whatever became of the others. Where it began none, the machine was late:
stolen by other guests, or busy. Every program that takes part in a move may have been as late as that client.
"""

from __future__ import annotations

import enum

from client import Client, Outage
from world import now

LATE_MS = 5.0     # less is what an idle machine does
PROGRAMS = 4      # that act one after the other: two daemons, a server, the client
VERY_LATE_MS = 30.0


class Verdict(enum.Enum):
    KEPT = "ok"
    MISSED = "MISSED"
    UNSURE = "unsure"


def fits(seen: Outage, bound_ms: float) -> bool:
    # Requests at the edges of an outage are lost too: the bound in requests follows from the bound in time.
    # How long one lost request seems to last is only how soon the client began its next.
    return (seen.milliseconds <= bound_ms or seen.lost == 1) and seen.lost <= bound_ms / 2 + (1 if bound_ms > 2 else 0)


def judge(client: Client, since: float, bound_ms: float, others_kept: bool = True) -> tuple[Outage, Verdict, str]:
    """What was seen, the verdict, and the reason of an unsure one. `others_kept` is what was promised besides."""
    until = now() - client.timeout
    seen, late = client.outage(since, until), client.lateness(since, until)
    if others_kept and fits(seen, bound_ms):
        return seen, Verdict.KEPT, ""
    excused = late >= LATE_MS and fits(seen, bound_ms + PROGRAMS * late) and (others_kept or late >= VERY_LATE_MS)
    return seen, Verdict.UNSURE if excused else Verdict.MISSED, f"this machine was late by {late:.0f} ms" if excused else ""


MISSED_STATUS, BROKEN_STATUS, UNSURE_STATUS = 1, 2, 77  # 77, as of a test that is skipped


def exit_status(verdicts) -> int:
    """1: a promise was missed; 77: this machine could not tell. What came to no end at all is 2, and nobody plays it again."""
    verdicts = list(verdicts)
    if Verdict.MISSED in verdicts:
        return MISSED_STATUS
    return UNSURE_STATUS if Verdict.UNSURE in verdicts else 0
