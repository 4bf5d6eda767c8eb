"""Benchmarks of size: many instances, many links, many addresses; on time for each of them, beside keepalived."""

from __future__ import annotations

import math
import time

from figures import Figure, master_down, median, spread
from pair import VIP, VRID, Pair, Service, cpu_ns, port_packets
from rows_load import measure_cpu
from world import Process, now, wait_for

KINDS = ("keepalived", "holdfast")


# ---- what was on the wire ------------------------------------------------------------------------------------------------------

def on_time(adverts, interval: float, routers, since: float, until: float, slack: float) -> dict:
    """What the master of these routers sent between two moments, against what was due."""
    stamps = {router: [] for router in routers}
    for advert in adverts:
        if advert.priority > 0 and since <= advert.time < until:
            stamps[advert.router].append(advert.time)
    late = missing = 0
    longest = 0.0
    for times in stamps.values():
        # From the window's edges too: a router that is silent from some moment on has no gap between adverts.
        for before, after in zip([since, *times], [*times, until]):
            longest = max(longest, after - before)
            late += after - before > interval + slack
        missing += max(0, int((until - since) / interval) - 1 - len(times))  # one may be just outside of the window
    sent = sum(map(len, stamps.values()))
    return {"sent": sent, "share": sent / (len(stamps) * (until - since) / interval), "late": late, "missing": missing,
            "longest_ms": longest * 1000}


def gaps(adverts, interval: float, since: float, until: float, slack: float = 0.01) -> dict:
    """The late adverts of one master, from its first one on: how many came behind interval + slack, the longest silence (ms)."""
    times = sorted(a.time for a in adverts if since <= a.time <= until)
    silences = [b - a for a, b in zip(times, [*times[1:], until])]  # silent to the end is late too
    return {"late": sum(s > interval + slack for s in silences), "longest_ms": max(silences, default=0.0) * 1000, "adverts": len(times)}


# ---- many instances ------------------------------------------------------------------------------------------------------------

def wide(interval: float, links, vrids: int) -> Service:
    """So many virtual routers on each of these links, an address each."""
    return Service(interval, {(link, vrid): [f"10.{100 + i}.1.{vrid}/32"] for i, link in enumerate(links)
                              for vrid in range(1, vrids + 1)})


def drained(tap, patience: float = 20.0):
    """Nothing new on the wire, and the tap has told all that there was."""
    size, deadline = -1, now() + patience
    while (told := tap.process.log.stat().st_size) != size and now() < deadline:
        size = told
        time.sleep(0.5)


def instances(options):
    """255 and 1,020 instances at 10 ms: CPU per advert, adverts sent against due, takeovers"""
    interval, windows, seconds = 0.01, 5, 4.0
    # A tap on all of 102,000 adverts/s costs their sender a tenth of its processor, and it has none to spare.
    for cell, links, every in (("255", ["eth0"], 1), ("1,020 on 4 links", [f"l{i}" for i in range(4)], 8)):
        service = wide(interval, links, 255)
        watched = [router for router in service.routers() if router[1] % every == 0]
        cost, wire, moves, lost = {}, {}, {}, {}
        for kind in KINDS:
            with Pair(kind, kind, service, tap=False) as pair:
                time.sleep(2)
                cost[kind] = list(measure_cpu(pair.world, pair.lb1, pair.lb2, pair.first.pids(), pair.second.pids(), windows))
                pair.tap = pair.start_tap(every)  # not while the cost is measured
                time.sleep(0.5)
                since, before = now(), port_packets(pair.world, pair.lb1)
                time.sleep(seconds)
                until, packets = now(), port_packets(pair.world, pair.lb1) - before
                for daemon in (pair.second, pair.first):  # the tap has a backlog, and would never come to its end
                    daemon.crash()
                drained(pair.tap)
                wire[kind] = on_time((a for a in pair.tap.since(since) if a.host == "lb1"), interval, watched, since, until, interval / 2)
                moves[kind] = pair.takeovers(since)
                # Without a move there is little else than adverts, so this tells whether the tap itself lost any.
                seen = wire[kind]["sent"] * len(service.vips) / len(watched)
                lost[kind] = 0 if moves[kind] else max(0, round(packets - seen))
        best = {k: [min(part) for part in zip(*v)] for k, v in cost.items()}
        for index, what, ratio in ((0, "sent", 0.65), (1, "received", 0.8)):
            theirs, ours = best["keepalived"][index], best["holdfast"][index]
            usual = {k: median([v[index] for v in cost[k]]) for k in KINDS}
            yield Figure("instances", f"{cell}, us per advert {what}, quietest second (median)",
                         f"{theirs:.2f} ({usual['keepalived']:.2f})", f"{ours:.2f} ({usual['holdfast']:.2f}): x {ours / theirs:.2f}",
                         f"<= {ratio} of keepalived's", ours <= ratio * theirs, "",
                         {kind: [v[index] for v in values] for kind, values in cost.items()})
        due = len(service.vips) / interval
        text = {k: f"{w['share'] * due:.0f} adverts/s of {due:.0f} ({w['share']:.2%}), {w['missing']} missing, {w['late']} late by 5 ms, "
                   f"longest gap {w['longest_ms']:.1f} ms, {moves[k]} takeovers" for k, w in wire.items()}
        ours = wire["holdfast"]
        yield Figure("instances", f"{cell}, {len(watched)} of them on the wire in {seconds:g} s", text["keepalived"], text["holdfast"],
                     ">= 99.9% of due, none missing, none late by half an interval, no takeover",
                     ours["share"] >= 0.999 and ours["missing"] == ours["late"] == moves["holdfast"] == 0,
                     f"the tap missed {lost['keepalived']} and {lost['holdfast']} packets" if max(lost.values()) > 0.01 * due else "",
                     {"wire": wire, "takeovers": moves})


def local_addresses(host) -> set[str]:
    return {line.split()[3].split("/")[0] for line in host.ip("-o", "-4", "address", "show").splitlines()}


def all_claimed(pair, host: str, routers, since: float, seconds: float) -> list[float]:
    """The moments of each router's first advert from this host, in order."""
    first = {}
    def whole():
        first.clear()
        for advert in pair.tap.since(since):
            if advert.host == host and advert.priority > 0:
                first.setdefault(advert.router, advert.time)
        return len(first) == len(routers)
    wait_for(whole, seconds, f"{host} to be master of all, {len(routers)}", every=0.1)
    return sorted(first.values())


def many_links(options):
    """2,000 instances on 100 links at 1 s: start to all masters, one master each, CPU, all taken after `kill -9`"""
    interval, seconds = 1.0, 8.0
    service = wide(interval, [f"l{i}" for i in range(100)], 20)
    vips = {addresses[0].split("/")[0] for addresses in service.vips.values()}
    bound, seen = master_down("lb1", interval), {}
    for kind in KINDS:
        with Pair(kind, kind, service, start=False) as pair:
            began = now()
            pair.second.start()
            pair.first.start()
            masters = all_claimed(pair, "lb1", service.routers(), began, 40)
            held = wait_for(lambda: vips <= local_addresses(pair.lb1) and now(), 40, "the addresses of all", every=0.1)
            time.sleep(2)
            both = [d.pids() for d in (pair.first, pair.second)]
            since, before = now(), [cpu_ns(p) for p in both]
            time.sleep(seconds)
            until, after = now(), [cpu_ns(p) for p in both]
            adverts = [a for a in pair.tap.since(since) if a.time < until and a.priority > 0]
            wire = on_time((a for a in adverts if a.host == "lb1"), interval, service.routers(), since, until, 0.01)
            wrong = len(vips - local_addresses(pair.lb1)) + len(vips & local_addresses(pair.lb2))
            rivals = len({a.router for a in adverts if a.host == "lb2"})
            moves = pair.takeovers(since)
            # Each router for itself: how far behind the protocol's bound lb2's first advert came.
            killed = pair.first.crash()
            all_claimed(pair, "lb2", service.routers(), killed, 15)
            last, over = {}, {}
            for a in pair.tap.since(since):
                if a.host == "lb1":
                    last[a.router] = a.time
                elif a.host == "lb2" and a.priority > 0:
                    over.setdefault(a.router, (a.time - last[a.router] - master_down("lb2", interval)) * 1000)
            seen[kind] = {"masters_s": masters[-1] - began, "first_s": masters[0] - began, "held_s": held - began,
                          "wire": wire, "wrong": wrong, "rivals": rivals, "takeovers": moves, "over_ms": sorted(over.values()),
                          "cpu": [(b - a) / 1e7 / (until - since) for a, b in zip(before, after)]}
    ours = seen["holdfast"]
    text = {k: f"{v['masters_s']:.2f} s (the first after {v['first_s']:.2f} s)" for k, v in seen.items()}
    yield Figure("many_links", f"start to {len(vips)} masters", text["keepalived"], text["holdfast"],
                 f"the protocol's {bound:.2f} s + 1 s", ours["masters_s"] <= bound + 1, "", {**seen})
    text = {k: f"{v['wire']['share']:.2%} of the adverts, {v['wire']['late']} late by 10 ms, longest gap {v['wire']['longest_ms']:.1f} ms; "
               f"{v['wrong']} addresses astray, {v['rivals']} second masters, {v['takeovers']} takeovers" for k, v in seen.items()}
    yield Figure("many_links", f"{seconds:g} s of it", text["keepalived"], text["holdfast"],
                 "every instance one master, no advert late or missing", ours["wire"]["late"] == ours["wire"]["missing"] == 0
                 and ours["wrong"] == ours["rivals"] == ours["takeovers"] == 0)
    text = {k: f"{v['cpu'][0]:.2f} / {v['cpu'][1]:.2f} %" for k, v in seen.items()}
    yield Figure("many_links", "CPU, master / backup", text["keepalived"], text["holdfast"], "<= keepalived's",
                 all(mine <= theirs for mine, theirs in zip(ours["cpu"], seen["keepalived"]["cpu"])))
    text, over = {k: spread(v["over_ms"], " ms", 2) for k, v in seen.items()}, {k: v["over_ms"] for k, v in seen.items()}
    yield Figure("many_links", "all taken after kill -9, over the bound", text["keepalived"], text["holdfast"],
                 "median and last one not behind keepalived's", all(f(over["holdfast"]) <= f(over["keepalived"]) for f in (median, max)))


# ---- many addresses ------------------------------------------------------------------------------------------------------------

def excluded(count: int) -> tuple:
    return tuple(f"10.{200 + i // 62500}.{i // 250 % 250}.{i % 250 + 1}/32" for i in range(count))


def bare_addresses(addresses) -> set[str]:
    return {address.split("/")[0] for address in addresses}


class Arrivals:
    """The addresses that come and go on a host, by the kernel's news."""

    def __init__(self, pair, host):
        self.host, self.lines = host, pair.watch(host)

    def last(self, added: bool, wanted: set[str], since: float, seconds: float = 20) -> float:
        """How long after `since` the last of these addresses had come (or gone), or inf.

        A renewal is news too: the first of each address counts.
        """
        def whole():
            first = {}
            for event in self.lines.since(since):
                if event.added == added and event.address in wanted:
                    first.setdefault(event.address, event.time)
            return len(first) == len(wanted) and max(first.values())
        try:
            return wait_for(whole, seconds, "the addresses", every=0.05) - since
        except TimeoutError:
            there = len(wanted & local_addresses(self.host))
            print(f"  {self.host.name}: after {seconds} s, {there} of {len(wanted)} there, wanted {'all' if added else 'none'}", flush=True)
            return math.inf


def duration(seconds: float, kernel: float) -> str:
    return f"{seconds:.2f} s, x {seconds / kernel:.2f} of ip -batch" if math.isfinite(seconds) else "never: some stay"


def ip_batch(pair, work) -> list[float]:
    """How long ip(8) takes for each list of (host, add or del, addresses), all at the same time."""
    running = []
    for host, verb, addresses in work:
        file = host.directory / f"{verb}.batch"
        file.write_text("".join(f"address {verb} {address} dev eth0\n" for address in addresses))
        running.append(Process(["ip", "-n", host.namespace, "-batch", file], host.directory / "batch.log"))
        pair.world.undo(running[-1].end)
    ended = {}
    def all_ended():
        for process in running:
            if not process.alive():
                ended.setdefault(process.pid, now())
        return len(ended) == len(running)
    wait_for(all_ended, 60, "ip -batch", every=0.001)
    return [ended[process.pid] - process.started for process in running]


def steady(pair, interval: float, window: float = 2.0, patience: float = 15.0):
    """Waits until lb1 has been the one master for a while: keepalived is silent again for its second round of ARP.

    A keepalived that takes longer than five seconds to stop is killed by its own parent, and the rest of its addresses stay.
    """
    began = now()
    while now() < began + patience:
        time.sleep(0.2)
        lately = [a.host for a in pair.tap.since(now() - window) if a.priority > 0]
        if now() > began + window and set(lately) == {"lb1"} and len(lately) > 0.9 * window / interval - 1:
            return


def addresses(options):
    """10,000 excluded addresses at 100 ms adverts: taken and moved beside `ip -batch`, late adverts meanwhile"""
    interval, many, seen = 0.1, excluded(10_000), {}
    service, wanted = Service(interval, {VRID: [f"{VIP}/24"]}, excluded=many), bare_addresses(many)
    for kind in KINDS:
        with Pair(kind, kind, service, start=False) as pair:
            at = {host.name: Arrivals(pair, host) for host in (pair.lb1, pair.lb2)}
            kernel = ip_batch(pair, [(pair.lb1, "add", many)])
            kernel += ip_batch(pair, [(pair.lb1, "del", many), (pair.lb2, "add", many)])
            ip_batch(pair, [(pair.lb2, "del", many)])

            began = now()  # nobody else there
            pair.first.start()
            claimed = pair.first_advert("lb1", began, 10).time
            taken = at["lb1"].last(True, wanted, claimed)
            time.sleep(0.5)
            phases = {"taking": gaps(pair.adverts("lb1", claimed), interval, claimed, now())}

            pair.second.start()
            steady(pair, interval)
            stopped = pair.first.stop()
            left = at["lb1"].last(False, wanted, stopped)
            arrived = at["lb2"].last(True, wanted, stopped)
            pair.first.process().wait(30)
            time.sleep(0.5)
            phases["stop"] = gaps(pair.adverts("lb2", stopped), interval, stopped, now())

            again = now()  # lb1 comes back and takes all of it from a host that is giving it up
            pair.first.start()
            claimed = pair.first_advert("lb1", again, 10).time
            at["lb1"].last(True, wanted, claimed)
            time.sleep(2)
            phases["return"] = gaps(pair.adverts("lb1", claimed), interval, claimed, now())
            flaps = pair.takeovers(claimed + interval)  # lb2's last word is no claim
            seen[kind] = {"kernel_s": kernel, "taken_s": taken, "left_s": left, "arrived_s": arrived, "phases": phases, "flaps": flaps}
    ours = seen["holdfast"]
    for cell, key, part in (("taken: first advert to the last address", "taken_s", 0), ("moved: stop to the last one gone", "left_s", 1),
                            ("moved: stop to the last one on the other host", "arrived_s", 2)):
        text = {k: duration(v[key], v["kernel_s"][part]) for k, v in seen.items()}
        yield Figure("addresses", cell, text["keepalived"], text["holdfast"], "<= 1.25 of ip -batch doing the same",
                     ours[key] <= 1.25 * ours["kernel_s"][part], "",
                     {k: {key: v[key], "kernel_s": v["kernel_s"][part]} for k, v in seen.items()})
    text = {k: ", ".join(f"{phase} {g['late']} (longest {g['longest_ms']:.0f} ms)" for phase, g in v["phases"].items())
               + f"; {v['flaps']} flaps" for k, v in seen.items()}
    yield Figure("addresses", "adverts later than 110 ms", text["keepalived"], text["holdfast"], "none, no flap",
                 all(g["late"] == 0 for g in ours["phases"].values()) and ours["flaps"] == 0, "", {**seen})


def reload_address(options):
    """a reload that adds one address to 9,999, beside a reload of an unchanged file"""
    interval, rounds, extra = 0.1, {"keepalived": options.runs(4), "holdfast": options.runs(10)}, "10.210.0.1/32"
    fewer = Service(interval, {VRID: [f"{VIP}/24"]}, excluded=excluded(9_999))
    more = Service(interval, fewer.vips, excluded=(*fewer.excluded, extra))
    seen = {}
    for kind in KINDS:
        with Pair(kind, kind, fewer, start=False) as pair:
            arrivals = Arrivals(pair, pair.lb1)
            began = now()
            pair.first.start()
            arrivals.last(True, bare_addresses(fewer.excluded), began)
            time.sleep(2)
            began = now()
            unchanged, added, removed, answered = [], [], [], []
            for _ in range(rounds[kind]):
                if kind == "holdfast":
                    unchanged.append(pair.first.reload()[1])
                for service, into in ((more, added), (fewer, removed)):
                    pair.first.configure(service)
                    since, answer = pair.first.reload()
                    into.append(arrivals.last(service is more, bare_addresses([extra]), since, 5))
                    answered.append((into[-1] - answer) * 1000)
                    time.sleep(0.3)
            seen[kind] = {"unchanged_ms": [s * 1000 for s in unchanged], "added_ms": [s * 1000 for s in added],
                          "removed_ms": [s * 1000 for s in removed],
                          "after_answer_ms": answered, "gaps": gaps(pair.adverts("lb1", began), interval, began, now())}
    ours, theirs = seen["holdfast"], seen["keepalived"]
    for part, what in enumerate(("added", "removed")):
        values = ours[f"{what}_ms"]
        over = median([a - b for a, b in zip(values, ours["unchanged_ms"])])  # of the same second: the machine's mood is in both
        yield Figure("reload_address", f"{what}: command (SIGHUP) to the kernel's news", spread(theirs[f"{what}_ms"], " ms", 1),
                     f"{spread(values, ' ms', 1)}; unchanged file, command to its answer: {spread(ours['unchanged_ms'], ' ms', 1)}",
                     "<= 10 ms more than the unchanged file just before, median", over <= 10,
                     f"{over:+.1f} ms; {median(ours['after_answer_ms'][part::2]):+.1f} ms after the command's own answer", {**seen})
    text = {k: f"{v['gaps']['late']} of {v['gaps']['adverts']}, longest gap {v['gaps']['longest_ms']:.0f} ms" for k, v in seen.items()}
    yield Figure("reload_address", "adverts later than 110 ms meanwhile", text["keepalived"], text["holdfast"], "none",
                 ours["gaps"]["late"] == 0)


ROWS = {f.__name__: f for f in (instances, many_links, addresses, reload_address)}
