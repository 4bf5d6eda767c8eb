"""What a client of the address sees: a GET every few milliseconds, each on its own, judged one by one."""

from __future__ import annotations

import bisect
import dataclasses
import subprocess
import threading
import time

from world import BUILD, Host, now


@dataclasses.dataclass(frozen=True, order=True)
class Answer:
    start: float  # seconds of CLOCK_MONOTONIC
    duration: float
    ok: bool
    host: str


@dataclasses.dataclass(frozen=True)
class Outage:
    lost: int
    milliseconds: float  # the longest run of lost requests, from its first to the next answered one
    first_from: dict  # host -> seconds after `since` of the first request that it answered


class Client:
    def __init__(self, host: Host, address: str, interval: float = 0.002, timeout: float = 0.5):
        self.interval, self.timeout = interval, timeout
        self._answers: list[Answer] = []
        self._lock = threading.Lock()
        self.answered = self.lost = 0
        self.last_host = "-"
        self._popen = subprocess.Popen(
            ["ip", "netns", "exec", host.namespace, str(BUILD / "tests/lab/holdfast-poller"), address, "80",
             str(int(interval * 1e6)), str(int(timeout * 1e6))], stdout=subprocess.PIPE, text=True, start_new_session=True)
        host.world.undo(self.stop)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self._popen.stdout:
            start, duration, verdict, host = line.split()
            answer = Answer(int(start) / 1e6, int(duration) / 1e6, verdict == "ok", host)
            with self._lock:
                bisect.insort(self._answers, answer)
                if answer.ok:
                    self.answered += 1
                    self.last_host = host
                else:
                    self.lost += 1

    def stop(self):
        if self._popen.poll() is None:
            self._popen.kill()
        self._popen.wait()
        self._thread.join()
        self._popen.stdout.close()

    def settle(self):
        """Until every request that was started before has been judged."""
        time.sleep(self.timeout + 0.15)

    def between(self, since: float, until: float) -> list[Answer]:
        with self._lock:
            low = bisect.bisect_left(self._answers, since, key=lambda a: a.start)
            high = bisect.bisect_left(self._answers, until, key=lambda a: a.start)
            return self._answers[low:high]

    def lateness(self, since: float, until: float) -> float:
        """How long at most this client did not come to begin a request that it was to begin, in ms."""
        starts = [since, *(answer.start for answer in self.between(since, until)), until]
        return max(0.0, max(b - a for a, b in zip(starts, starts[1:])) - self.interval) * 1000

    def outage(self, since: float, until: float | None = None) -> Outage:
        answers = self.between(since, until if until is not None else now())
        longest, began, first = 0.0, None, {}
        for answer in answers:
            if answer.ok:
                first.setdefault(answer.host, answer.start - since)
                if began is not None:
                    longest = max(longest, answer.start - began)
                began = None
            elif began is None:
                began = answer.start
        if began is not None and answers:
            longest = max(longest, answers[-1].start - began)
        return Outage(sum(not a.ok for a in answers), longest * 1000, first)
