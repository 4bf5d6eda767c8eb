"""Benchmarks of size and of age: ten thousand real servers as D-Bus objects, ten thousand reloads of one process.

The build machines have no ip_vs, so the services are `degraded` and never reach a kernel; the objects, the views and the
configuration are whole.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import time

from figures import Figure, lateness, median, percentile, spread
from pair import VIP, VRID, Pair, Service, many
from world import BUILD, now, wait_for

SERVICES, SERVERS = 10, 1000
OBJECT_KIB = 12  # issue 5: of memory, for one real server
CTL = BUILD / "src/ctl/holdfastctl"


def virtual_servers(services: int, servers: int, first_weight: int = 1) -> str:
    """`first_weight` is that of the first server of all: what a reload changes."""
    lines = ["virtual_servers:"]
    for i in range(services):
        lines.append(f"  s{i}:\n    address: 10.100.{i}.1:80\n    protocol: tcp\n    scheduler: wrr\n    real_servers:")
        for j in range(servers):
            weight = first_weight if i == j == 0 else 1
            lines.append(f"      r{j}: {{address: 10.{i + 1}.{j // 250}.{j % 250 + 1}:80, weight: {weight}}}")
    return "\n".join(lines) + "\n"


def memory_kib(pid: int) -> int:
    """Private memory (Pss): what is shared with other processes counts in part."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError("no Pss")


def timed(host, *command) -> float:
    began = now()
    subprocess.run(["ip", "netns", "exec", host.namespace, "env", f"DBUS_SYSTEM_BUS_ADDRESS={host.bus_address}", *map(str, command)],
                   stdout=subprocess.DEVNULL, check=True)
    return now() - began


def objects(options):
    """10,000 real servers: memory of an object, how long listing and watching take, reloads, adverts at 10 ms meanwhile"""
    interval = 0.01
    vrrp = many(interval, 10).holdfast()
    total = SERVICES * SERVERS
    with Pair("holdfast", "holdfast", many(interval, 10), start=False) as pair:
        def configure(servers: int, weight: int = 1):
            pair.world.configure(vrrp + virtual_servers(SERVICES, servers, weight))
        configure(1)
        pair.first.start()
        pair.settled(10)
        pid = pair.first.process().pid
        time.sleep(2)
        base = memory_kib(pid)
        began = now()
        configure(SERVERS)
        grown = pair.first.reload()[1]
        time.sleep(3)  # the last view is out
        each = (memory_kib(pid) - base) / (total - SERVICES)

        listing = {"GetManagedObjects": ["busctl", "--system", "call", "org.holdfast1", "/org/holdfast1",
                                         "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"],
                   "busctl tree": ["busctl", "--system", "tree", "--list", "org.holdfast1"],
                   "holdfastctl list": [CTL, "list"], "holdfastctl status": [CTL, "status"]}
        times = {name: [timed(pair.lb1, *command) for _ in range(options.runs(5))] for name, command in listing.items()}
        same, one = [], []
        for i in range(options.runs(5)):
            same.append(pair.first.reload()[1])
            configure(SERVERS, 2 + i % 2)
            one.append(pair.first.reload()[1])
        late = []
        adverts = pair.tap.since(began)
        for vrid in range(1, 11):
            late += lateness([a.time for a in adverts if a.host == "lb1" and a.vrid == vrid and a.priority > 0], interval)
        missing = max(late, default=0) >= interval
    yield Figure("objects", f"memory of one of {total} real servers, its D-Bus object and views in it", "-", f"{each:.1f} KiB",
                 f"<= {OBJECT_KIB} KiB", each <= OBJECT_KIB, "", {"kib": each, "base_kib": base})
    for name, values in times.items():
        yield Figure("objects", f"{name}, all of them", "-", spread([v * 1000 for v in values], " ms"), "quick", None)
    yield Figure("objects", "reload: 10 to 10,000 servers, then unchanged, then one weight changed; command to answer", "-",
                 f"{grown * 1000:.0f} ms; {spread([v * 1000 for v in same], ' ms')}; {spread([v * 1000 for v in one], ' ms')}",
                 "one change: 20 ms more than none, median", (median(one) - median(same)) * 1000 <= 20, "",
                 {"same_s": same, "one_s": one})
    yield Figure("objects", "lateness of adverts at 10 ms meanwhile, p99.9 / max", "-",
                 f"{percentile(late, 0.999) * 1000:.2f} / {max(late) * 1000:.2f} ms", "none missing", not missing, "", {})


def soak(options):
    """10,000 reloads that change an address back and forth: memory and descriptors of every process of it"""
    rounds = options.runs(10_000)
    plain = Service(1.0, {VRID: [f"{VIP}/24"]})
    tracker = "trackers: {up: {script: [/bin/true], interval: 500ms}, web: {http: 'http://127.0.0.1:9/', interval: 500ms}}\n"
    def text(odd: bool) -> str:
        extra = ", 10.77.0.101/24" if odd else ""
        return plain.holdfast().replace(f"{VIP}/24", f"{VIP}/24{extra}").replace("}}\n", "}, track: [{tracker: web, weight: -1}]}\n", 1) + \
            (tracker if odd else tracker.replace("500ms", "400ms")) + virtual_servers(1, 10, 1 + odd)
    with Pair("holdfast", "holdfast", plain, start=False, tap=False) as pair:
        pair.world.configure(text(False))
        pair.first.start()
        wait_for(lambda: pair.lb1.has(VIP), 20, "the address")

        def processes() -> dict:
            found = {"holdfastd": pair.first.process().pid}
            for child in pathlib.Path(f"/proc/{found['holdfastd']}/task/{found['holdfastd']}/children").read_text().split():
                found[pathlib.Path(f"/proc/{child}/comm").read_text().strip()] = int(child)
            return found

        def look() -> dict:
            return {name: (memory_kib(pid), len(os.listdir(f"/proc/{pid}/fd"))) for name, pid in processes().items()}
        marks = {}
        for i in range(rounds + 1):
            if i in (rounds // 10, rounds // 2, rounds):
                time.sleep(2)
                marks[i] = look()
            pair.world.configure(text(i % 2 == 1))
            pair.first.reload()
        pids = processes()
    first, last = marks[min(marks)], marks[max(marks)]
    for name in pids:
        values = [m[name] for m in marks.values()]
        grown = last[name][0] - first[name][0]
        yield Figure("soak", f"{name}: memory and descriptors after {', '.join(map(str, marks))} reloads", "-",
                     "; ".join(f"{kib} KiB, {fds}" for kib, fds in values), "no more descriptors, 1 MiB at most",
                     grown <= 1024 and last[name][1] <= first[name][1], f"{grown:+d} KiB")


ROWS = {f.__name__: f for f in (objects, soak)}
