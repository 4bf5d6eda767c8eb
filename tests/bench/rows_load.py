"""Benchmarks under load: processor pressure, many instances, a flood of bad packets, greedy bus clients."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time

from figures import Figure, lateness, median, percentile, spread
from pair import HERE, VRID, Pair, cpu_ns, many, one, port_packets
from rows_objects import virtual_servers
from world import BUILD, Process, World, now, run

FETCH = HERE / "holdfast-fetch"


def busy_loops(world: World, count: int, seconds: float) -> list[Process]:
    """Endless loops of ordinary priority; they end by themselves whatever becomes of us."""
    loops = [Process(["timeout", f"{seconds:g}", "sh", "-c", "while :; do :; done"], world.directory / "busy.log")
             for _ in range(count)]
    for loop in loops:
        world.undo(loop.end)
    return loops


def pressure(options):
    """4 busy loops on 2 cores, 50 instances at 10 ms: false takeovers in 10 s"""
    count, interval, seconds, moves, rate = 50, 0.01, 10.0, {}, {}
    for kind in ("keepalived", "holdfast"):
        moves[kind], rate[kind] = [], []
        for _ in range(options.runs(1)):
            with Pair(kind, kind, many(interval, count)) as pair:
                time.sleep(1)
                loops = busy_loops(pair.world, 4, seconds)
                began = now()
                for loop in loops:
                    loop.wait(seconds + 10)
                moves[kind].append(pair.takeovers(began))
                adverts = [a for a in pair.tap.since(began) if a.host == "lb1" and a.time < began + seconds]
                rate[kind].append(len(adverts) / seconds)
    text = {k: f"{spread(moves[k])} takeovers, {median(rate[k]):.0f} adverts/s" for k in moves}
    yield Figure("pressure", "as installed: holdfast real-time, keepalived ordinary", text["keepalived"], text["holdfast"],
                 "0 takeovers", max(moves["holdfast"]) == 0, "", {"takeovers": moves, "adverts_per_s": rate})


def measure_cpu(world: World, sender, receiver, sending, receiving, windows: int):
    """Microseconds of processor per packet, sent and received, and packets a second: for each of several windows of a second."""
    def look():
        return port_packets(world, sender), cpu_ns(sending), cpu_ns(receiving), now()
    before = look()
    for _ in range(windows):
        time.sleep(1)
        after = look()
        packets = after[0] - before[0]
        yield (after[1] - before[1]) / 1000 / packets, (after[2] - before[2]) / 1000 / packets, packets / (after[3] - before[3])
        before = after


def cpu(options):
    """CPU per advert sent and received at 255 instances, 10 ms"""
    count, interval, windows = 255, 0.01, 8
    sent, received, rates = {}, {}, {}
    for _ in range(options.runs(3)):
        for kind in ("bare", "keepalived", "holdfast"):
            if kind == "bare":
                with World(f"hfbcpu{id(options) % 1000}") as world:
                    a, b, _ = world.add("lb1"), world.add("lb2"), world.add("client")
                    receiver = b.spawn("bare", HERE / "holdfast-bare", "receive", "eth0")
                    sender = a.spawn("bare", HERE / "holdfast-bare", "send", "eth0", str(count), str(int(interval * 1e6)))
                    time.sleep(1)
                    seen = list(measure_cpu(world, a, b, [sender.pid], [receiver.pid], windows))
            else:
                with Pair(kind, kind, many(interval, count), tap=False) as pair:
                    time.sleep(3)
                    seen = list(measure_cpu(pair.world, pair.lb1, pair.lb2, pair.first.pids(), pair.second.pids(), windows))
            for into, values in zip((sent, received, rates), zip(*seen)):
                into.setdefault(kind, []).extend(values)
    # What others do on the machine only ever adds (caches, stolen time): the quietest second of each says most.
    for what, values, ratio in (("sent", sent, 0.65), ("received", received, 0.8)):
        ours, theirs, bare = (min(values[k]) for k in ("holdfast", "keepalived", "bare"))
        usual = {k: median(v) for k, v in values.items()}
        yield Figure("cpu", f"us per advert {what}, quietest second (median)", f"{theirs:.2f} ({usual['keepalived']:.2f})",
                     f"{ours:.2f} ({usual['holdfast']:.2f}): x {ours / theirs:.2f}, bare {ours - bare:+.2f}",
                     f"<= {ratio} of keepalived's, <= bare loop {bare:.2f} ({usual['bare']:.2f}) + 1",
                     ours <= ratio * theirs and ours <= bare + 1,
                     f"adverts/s: {median(rates['keepalived']):.0f}, {median(rates['holdfast']):.0f}, bare {median(rates['bare']):.0f}",
                     {"us": values, "adverts_per_s": rates})


def flood(options):
    """50,000 mutated packets in a second: log and replies"""
    interval, seen = 0.1, {}
    for kind in ("keepalived", "holdfast"):
        with Pair(kind, kind, one(interval), log=True) as pair:
            before = {d.host.name: d.log() for d in (pair.first, pair.second)}
            spent = cpu_ns(pair.first.pids())
            began = now()
            out = pair.other.run(str(HERE / "holdfast-flood"), "eth0", "10.77.0.3", str(VRID), "50000", "1.0", "7")
            ended = now()
            sent = int(out.split()[0])
            spent = (cpu_ns(pair.first.pids()) - spent) / 1e6
            time.sleep(0.5)
            new = {d.host.name: d.log()[len(before[d.host.name]):] for d in (pair.first, pair.second)}
            replies = len(pair.adverts("lb1", began)) - len([a for a in pair.adverts("lb1", ended)])
            # The daemon's own adverts on their schedule are no replies.
            seen[kind] = {"bytes": max(len(t) for t in new.values()), "lines": max(t.count("\n") for t in new.values()),
                          "adverts": replies, "seconds": ended - began, "sent": sent, "cpu_ms": spent,
                          "moved": pair.takeovers(began)}
    ours = seen["holdfast"]
    allowed = ours["seconds"] / (interval / 4) + 1
    text = {k: f"{v['lines']} lines, {v['bytes'] / 1000:.1f} kB, {v['adverts']} adverts" for k, v in seen.items()}
    yield Figure("flood", f"{ours['sent']} packets in {ours['seconds']:.2f} s, adverts at {interval * 1000:g} ms", text["keepalived"],
                 text["holdfast"], f"<= 10 lines, <= {allowed:.0f} adverts (one a quarter interval), no move",
                 ours["lines"] <= 10 and ours["adverts"] <= allowed and ours["moved"] == 0,
                 f"CPU {seen['keepalived']['cpu_ms']:.0f} and {ours['cpu_ms']:.0f} ms", seen)


def bus(options):
    """D-Bus clients fetching everything in a tight loop, adverts at 10 ms"""
    count, interval, seconds, clients = 50, 0.01, 10.0, 3
    required = "<= bare timer loop + 1 ms, no flap"
    with Pair("holdfast", "holdfast", many(interval, count)) as pair:
        pair.spawn(pair.other, "bare", HERE / "holdfast-bare", "timer", "eth0", "10000")
        fetchers = [pair.lb1.spawn(f"fetch{i}", FETCH, f"{seconds:g}") for i in range(clients)]
        began = now() + 0.5
        for fetcher in fetchers:
            fetcher.wait(seconds + 20)
        ended = now()
        calls = [int((pair.lb1.log(f"fetch{i}").split() or ["0"])[0]) for i in range(clients)]
        late, adverts = [], pair.tap.since(began)
        bare = lateness([a.time for a in adverts if a.deadline], interval)
        for vrid in range(1, count + 1):
            late += lateness([a.time for a in adverts if a.host == "lb1" and a.vrid == vrid and a.time < ended], interval)
        moves = pair.takeovers(began)
    if sum(calls) == 0:
        yield Figure("bus", "D-Bus clients", "-", "not measured", required, None, "the daemon is not on the bus")
        return
    ours, loop = [percentile(late, p) * 1000 for p in (0.99, 1)], [percentile(bare, p) * 1000 for p in (0.99, 1)]
    yield Figure("bus", f"{clients} clients, {count} instances, p99 / max lateness", "not measured",
                 f"{ours[0]:.2f} / {ours[1]:.2f} ms, {moves} takeovers, {sum(calls) / seconds:.0f} calls/s", 
                 f"{loop[0]:.2f} / {loop[1]:.2f} (bare timer loop) + 1 ms, no flap", ours[1] <= loop[1] + 1 and moves == 0, "",
                 {"late_ms": ours, "bare_ms": loop, "calls": calls, "takeovers": moves})


# As root in a mount namespace of its own ($0: the host's folder): a journald that never reads, and a disk below the state and the
# configuration that takes no more writes (fsfreeze(8)). What is frozen is thawed by whoever leaves.
HANGING = {
    "journal": 'mount -t tmpfs run /run && mkdir -p /run/systemd/journal && mount --bind "$0/journal" /run/systemd/journal && exec "$@"',
    "disk": 'truncate -s 64M "$0/disk" && mkfs.ext4 -q "$0/disk" && mkdir -p "$0/lib" && mount -o loop "$0/disk" "$0/lib" && exec "$@"',
}
CHURN = """
i=0
while :; do
  i=$((i + 1)); ip netns add "$0-$i"; ip link add c$i type veth peer name eth0 netns "$0-$i"; ip link set c$i up
  ip -n "$0-$i" link set eth0 up; ip -n "$0-$i" address add 10.88.0.2/24 dev eth0; ip netns del "$0-$i"; ip link del c$i 2>/dev/null
done
"""


@contextlib.contextmanager
def hanging(pair: Pair, what: str):
    """lb1's world while its daemon runs in it: what hangs does so from here to the end."""
    daemon, folder = pair.lb1.holdfastd.pid, pair.lb1.directory
    inside = ("nsenter", "-t", str(daemon), "-m")
    if what == "disk":
        run(*inside, "fsfreeze", "-f", folder / "lib")
    churn = pair.lb1.spawn("churn", "timeout", "60", "sh", "-c", CHURN, f"churn-{os.getpid()}") if what == "containers" else None
    try:
        yield
    finally:
        if churn:
            churn.end()
            for name in [line.split()[0] for line in run("ip", "netns").splitlines() if line.startswith(f"churn-{os.getpid()}-")]:
                run("ip", "netns", "del", name, check=False)
        if what == "disk":
            run(*inside, "fsfreeze", "-u", folder / "lib")


def takes_no_more(path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one_more:
        one_more.setblocking(False)
        try:
            one_more.sendto(b"MESSAGE=x\n", str(path))
        except BlockingIOError:
            return True
    return False


def hang(options):
    """adverts at 10 ms while namespaces come and go as containers do, while journald hangs, and while the disk hangs"""
    count, interval, seconds = 50, 0.01, 10.0
    for what in ("nothing", "containers", "journal", "disk"):
        with Pair("holdfast", "holdfast", many(interval, count), start=False) as pair, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
            pair.world.configure(many(interval, count).holdfast() + virtual_servers(1, 1))
            folder = pair.lb1.directory
            (folder / "journal").mkdir()
            journal.bind(str(folder / "journal/socket"))
            if script := HANGING.get(what):
                spawn = pair.lb1.spawn
                pair.lb1.spawn = lambda name, *command: spawn(name, "sh", "-c", script, folder, *command, environment={"HOLDFAST_JOURNAL": "1"})
            pair.first.start()
            pair.settled(10)
            pair.second.start()
            pair.lb1.__dict__.pop("spawn", None)
            time.sleep(1)
            pair.spawn(pair.other, "bare", HERE / "holdfast-bare", "timer", "eth0", "10000")
            with hanging(pair, what):
                began, wrote = now(), 0
                while now() < began + seconds:  # each reload is a line for the journal, the added server a file on the disk
                    pair.lb1.holdfastd.kill(signal.SIGHUP)
                    wrote += 1
                    if what == "disk" and wrote == 1:
                        pair.lb1.spawn("add", BUILD / "src/ctl/holdfastctl", "add", "s0/more", "10.9.0.1", "--persistent")
                    time.sleep(0.01)
                ended = now()
                answered, said = bool(pair.lb1.status()), pair.lb1.log("add")
                hangs = {"journal": lambda: takes_no_more(folder / "journal/socket"),
                         "disk": lambda: not said or "did not answer" in said}.get(what, lambda: True)()
            late, adverts = [], pair.tap.since(began)
            bare = lateness([a.time for a in adverts if a.deadline], interval)
            for vrid in range(1, count + 1):
                late += lateness([a.time for a in adverts if a.host == "lb1" and a.vrid == vrid and a.time < ended], interval)
            moves = pair.takeovers(began)
        ours, loop = [percentile(late, p) * 1000 for p in (0.999, 1)], [percentile(bare, p) * 1000 for p in (0.999, 1)]
        yield Figure("hang", f"{what}: lateness p99.9 / max, {count} instances", "not measured",
                     f"{ours[0]:.2f} / {ours[1]:.2f} ms, {moves} takeovers, status {'answered' if answered else 'not answered'}",
                     f"{loop[0]:.2f} / {loop[1]:.2f} (bare timer loop) + 1 ms, no flap", ours[1] <= loop[1] + 1 and moves == 0 and answered and hangs,
                     "" if hangs else f"the {what} did not hang {said}", {"late_ms": ours, "bare_ms": loop, "takeovers": moves})


ROWS = {f.__name__: f for f in (pressure, cpu, flood, bus, hang)}
