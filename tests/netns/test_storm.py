"""News of the kernel that comes faster than it is taken keeps nobody else out: not the wire, not the clock, not people."""

from __future__ import annotations

import time

from conftest import Pair
from world import wait_for


def test_people_and_signals_are_heard_in_a_storm_of_kernel_news(world):
    pair = Pair(world)
    batch = pair.lb1.directory / "storm"
    addresses = [f"10.88.{i // 250}.{i % 250 + 1}/32 dev lo" for i in range(5000)]
    batch.write_text("".join(f"address add {a}\naddress del {a}\n" for a in addresses) * 20)
    storms = [pair.lb1.spawn(f"storm{i}", "ip", "-force", "-batch", batch) for i in range(2)]
    wait_for(lambda: "10.88." in pair.lb1.ip("address", "show", "dev", "lo"), 5, "the storm")
    began = time.monotonic()
    for _ in range(10):
        pair.lb1.ctl("reload")
    took = time.monotonic() - began
    assert all(storm.alive() for storm in storms), "the storm ended too early to show anything"
    assert pair.holders() == ["lb1"]
    pair.lb1.holdfastd.kill(15)
    pair.lb1.holdfastd.wait(5)
    for storm in storms:
        storm.end()
    assert took < 10, f"ten reloads took {took:.1f} s"
