"""The demo: two hosts keep one address in service beside nginx, act by act, measured by a client.

Everything is real: kernel addresses, VRRP packets, nginx, D-Bus. Each act prints what the client lost beside the
protocol's own bound, and the demo fails if an act missed its expectation.
"""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
import threading
import time

from client import Client
from verdict import BROKEN_STATUS, Verdict, exit_status, judge
from world import World, now, wait_for

PRIORITY = {"lb1": 250, "lb2": 249}
# What the machine itself may add to a bound: process start, scheduling on a busy two-core machine, the client's own period.
NOISE_MS = 40.0
# A planned move has no outage: each new connection is answered. A connection that is half-way when the client's ARP cache moves
# sends its next packet to the other host, which does not know it: at most one at this rate.
HANDOVER = (2, "no outage (one connection half-way, at most)")
# A better host that comes back is obeyed at once: what is in flight at the other one then is all that can be lost.
YIELD = (10, "10 ms: what is in flight at the yield")


def parse_interval(text: str) -> float:
    for unit, factor in (("ms", 0.001), ("s", 1.0)):
        if text.endswith(unit):
            return float(text[: -len(unit)]) * factor
    raise argparse.ArgumentTypeError(f"'{text}' has no unit: write 1s or 100ms")


@dataclasses.dataclass
class Row:
    act: str
    outage_ms: float
    lost: int
    bound: str
    verdict: Verdict
    note: str


class Screen:
    """One live line on a terminal, plain lines elsewhere."""

    def __init__(self, play: "Play"):
        self.play, self.terminal = play, sys.stdout.isatty()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._refresh, daemon=True)
        if self.terminal:
            self._thread.start()

    def say(self, text: str):
        if self.terminal:
            sys.stdout.write("\r\033[K")
        print(text, flush=True)

    def _refresh(self):
        while not self._stop.wait(0.25):
            try:
                line = self.play.live()
            except Exception:  # the world changes under our feet: the next look will do
                continue
            sys.stdout.write(f"\r\033[K{line[:100]}")
            sys.stdout.flush()

    def close(self):
        self._stop.set()
        if self.terminal:
            self._thread.join()
            sys.stdout.write("\r\033[K")


class Play:
    def __init__(self, interval: float, ipv6: bool):
        self.interval = interval
        self.vip = "fd77::100" if ipv6 else "10.77.0.100"
        self.rows: list[Row] = []
        self.world = World("holdfast")
        try:
            self.lb1, self.lb2 = (self.world.add(name) for name in ("lb1", "lb2"))
            self.client_host = self.world.add("client")
            self.world.configure(
                f"# One file for both hosts.\n"
                f"defaults: {{interface: eth0, advert_interval: {interval * 1000:g}ms}}\n"
                f"instances:\n"
                f"  web:\n"
                f"    vrid: 51\n"
                f"    priority: {{lb1: {PRIORITY['lb1']}, lb2: {PRIORITY['lb2']}}}\n"
                f"    addresses: [{self.vip}/{64 if ipv6 else 24}]\n"
                f"    track: [nginx]\n"
                f"trackers:\n"
                f"  nginx: {{process: nginx}}\n")
            for host in (self.lb1, self.lb2):
                host.start_bus()
                host.start_nginx()
        except BaseException:
            self.world.close()
            raise
        self.screen = Screen(self)
        self.client: Client | None = None

    # ---- the protocol's own figures, in seconds --------------------------------------------------------------------

    def skew(self, name: str) -> float:
        return self.interval * (256 - PRIORITY[name]) / 256

    def master_down(self, name: str) -> float:
        return 3 * self.interval + self.skew(name)

    # ---- looking -----------------------------------------------------------------------------------------------------

    def holders(self) -> list[str]:
        return [host.name for host in (self.lb1, self.lb2) if host.has(self.vip)]

    def masters(self) -> list[str]:
        return [host.name for host in (self.lb1, self.lb2)
                if any(i["State"] == "master" for i in host.status().get("Instances", []))]

    def live(self) -> str:
        masters, holders = self.masters(), self.holders()
        client = self.client
        requests = f"answered {client.answered}  lost {client.lost}  by {client.last_host}" if client else "no client yet"
        return f"  master: {'+'.join(masters) or 'none'}   {self.vip} on: {'+'.join(holders) or 'none'}   {requests}"

    def settled_on(self, name: str, seconds: float):
        """Master and the only holder, and the client is served by it."""
        def there():
            return self.holders() == [name] and self.masters() == [name] and (not self.client or self.client.last_host == name)
        wait_for(there, seconds, f"{self.vip} on {name} alone (now on {self.holders()}, masters {self.masters()})", every=0.05)

    # ---- judging -------------------------------------------------------------------------------------------------------

    def act(self, title: str):
        self.screen.say(f"\n== {title}")

    def judge(self, act: str, since: float, bound_ms: float, bound_text: str, note: str = "", extra: bool = True):
        self.client.settle()
        seen, verdict, reason = judge(self.client, since, bound_ms, extra)
        note = "; ".join(filter(None, (note, reason)))
        self.rows.append(Row(act, seen.milliseconds, seen.lost, bound_text, verdict, note))
        self.screen.say(f"   outage {seen.milliseconds:.0f} ms, {seen.lost} lost; bound: {bound_text}; "
                        f"{'as promised' if verdict is Verdict.KEPT else verdict.value}{'; ' + note if note else ''}")
        if verdict is Verdict.MISSED:
            self.screen.say("   " + self.holders_and_logs())

    def holders_and_logs(self) -> str:
        tail = "\n".join(f"{h.name}: " + "\n      ".join(h.log("holdfastd").splitlines()[-6:]) for h in (self.lb1, self.lb2))
        return f"holders now: {self.holders()}\n   {tail}"

    # ---- the acts --------------------------------------------------------------------------------------------------------

    def start(self):
        self.act("start: both hosts begin, the higher priority becomes master")
        began = now()
        for host in (self.lb1, self.lb2):
            host.start_holdfastd()
        patience = self.master_down("lb1") + 2
        wait_for(lambda: self.lb1.has(self.vip), patience, f"{self.vip} on lb1")
        took = now() - began
        self.client = Client(self.client_host, self.vip)
        self.settled_on("lb1", 3)
        bound = self.master_down("lb1")
        self.rows.append(Row("start", took * 1000, 0, f"master-down {bound * 1000:.0f} ms + process start",
                             Verdict.KEPT if took < bound + 1 else Verdict.MISSED, ""))
        self.screen.say(f"   lb1 is master after {took * 1000:.0f} ms; bound: 3 adverts + skew = {bound * 1000:.0f} ms and the "
                        f"start of the process")
        time.sleep(0.5)

    def failover(self):
        for source, target in (("lb1", "lb2"), ("lb2", "lb1")):
            self.act(f"holdfastctl failover web, on {source}")
            since = now()
            self.screen.say("   " + self.world.hosts[source].ctl("failover", "web").strip())
            self.settled_on(target, 3)
            self.judge(f"failover to {target}", since, *HANDOVER)

    def nginx_dies(self):
        self.act("all of nginx is killed on the master (tracker: process)")
        since = self.lb1.kill_nginx()
        self.settled_on("lb2", self.master_down("lb2") + 2)
        bound = self.skew("lb2") * 1000 + 10 + NOISE_MS
        self.judge("nginx killed on the master", since, bound, f"successor's skew {self.skew('lb2') * 1000:.1f} ms + 10 ms")
        self.act("nginx comes back, the address returns")
        since = now()
        self.lb1.start_nginx()
        self.settled_on("lb1", self.master_down("lb1") + 3)
        self.judge("nginx back, address returns", since, *YIELD)

    def killed_and_restarted(self):
        delay = min(0.2, self.interval)
        self.act(f"kill -9 of the master's daemon; a supervisor restarts it in {delay * 1000:.0f} ms (adoption)")
        before = self.transitions()
        since = self.lb1.holdfastd.kill()
        time.sleep(delay)
        self.lb1.start_holdfastd()
        time.sleep(self.master_down("lb2") + 0.3)
        same = self.transitions() == before and self.holders() == ["lb1"]
        self.judge("kill -9, restarted", since, 0, "no failover, no request lost", "" if same else "the peer took over", same)

    def transitions(self) -> int:
        """State edges of the peer so far."""
        return sum(i["Counters"]["became_master"] for i in self.lb2.status().get("Instances", []))

    def killed_for_good(self):
        self.act("kill -9 of the master's daemon for good: the peer takes over, the dead host's address expires")
        lease = self.lb1.status()["Instances"][0]["LeaseUSec"] / 1e6
        since = self.lb1.holdfastd.kill()
        wait_for(lambda: self.lb2.has(self.vip), self.master_down("lb2") + 2, f"{self.vip} on lb2")
        taken = now() - since
        wait_for(lambda: not self.lb1.has(self.vip), lease + 3, "the lease's end on lb1")
        gone = now() - since
        note = f"taken over after {taken * 1000:.0f} ms, gone from lb1 after {gone:.1f} s"
        ok = taken <= self.master_down("lb2") + 0.2 and gone <= lease + 1.5
        self.judge("kill -9 for good", since, 10, f"take-over {self.master_down('lb2') * 1000:.0f} ms, lease {lease:.0f} s",
                   note, ok)
        since = now()
        self.lb1.start_holdfastd()
        self.settled_on("lb1", self.master_down("lb1") + 3)
        self.judge("daemon back, address returns", since, *YIELD)

    def link_down(self):
        self.act("the master's link goes down")
        since = self.lb1.cable(False)
        wait_for(lambda: self.lb2.has(self.vip), self.master_down("lb2") + 2, f"{self.vip} on lb2")
        wait_for(lambda: self.client.last_host == "lb2", 2, "an answer of lb2")
        bound = self.master_down("lb2") * 1000 + NOISE_MS
        self.judge("link of the master down", since, bound, f"master-down {self.master_down('lb2') * 1000:.0f} ms")
        since = self.lb1.cable(True)
        self.settled_on("lb1", self.master_down("lb1") + 4)
        self.judge("link up, address returns", since, *YIELD)

    def partition(self):
        self.act("the hosts are cut from each other: both serve, as VRRP must")
        since = self.world.isolate(("lb1", "lb2"), True)
        wait_for(lambda: len(self.holders()) == 2, self.master_down("lb2") + 2, "both holding the address")
        time.sleep(0.3)
        self.judge("cut from each other", since, 10, "the client always has one of them")
        self.act("joined again: one yields")
        since = self.world.isolate(("lb1", "lb2"), False)
        self.settled_on("lb1", 3 * self.interval + 2)
        self.judge("joined again", since, 10, "served within 10 ms of the yield")

    def graceful(self):
        self.act("graceful stop of the master, then start")
        since = self.lb1.holdfastd.kill(signal.SIGTERM)
        status = self.lb1.holdfastd.wait(self.interval + 5)
        self.settled_on("lb2", 3)
        self.judge("graceful stop", since, *HANDOVER, "" if status == 0 else f"exit status {status}", status == 0)
        since = now()
        self.lb1.start_holdfastd()
        self.settled_on("lb1", self.master_down("lb1") + 3)
        self.judge("start again, address returns", since, *YIELD)

    def all(self):
        for act in (self.start, self.failover, self.nginx_dies, self.killed_and_restarted, self.killed_for_good,
                    self.link_down, self.partition, self.graceful):
            act()

    # ---- the end -----------------------------------------------------------------------------------------------------

    def table(self) -> int:
        """The exit status."""
        self.screen.say(f"\n{'act':32} {'outage':>9} {'lost':>6}   promised")
        for row in self.rows:
            self.screen.say(f"{row.act:32} {row.outage_ms:6.0f} ms {row.lost:6}   {row.bound:48} "
                            f"{row.verdict.value}{' (' + row.note + ')' if row.note else ''}")
        kept = sum(row.verdict is Verdict.KEPT for row in self.rows)
        self.screen.say(f"\n{kept} of {len(self.rows)} as promised, at {self.interval * 1000:g} ms adverts; "
                        f"requests answered: {self.client.answered}, lost: {self.client.lost}")
        status = exit_status(row.verdict for row in self.rows)
        if status == 77:
            self.screen.say("this machine was too late itself to tell whether the others were kept (\"unsure\")")
        return status

    def keep(self):
        self.screen.say("\nThe hosts stay up until Enter or Ctrl-C. In another terminal:")
        for host in (self.lb1, self.lb2):
            bus = f"DBUS_SYSTEM_BUS_ADDRESS={host.bus_address}"
            self.screen.say(f"  {bus} {BUILD_CTL} status")
            self.screen.say(f"  {bus} {BUILD_CTL} failover web")
            self.screen.say(f"  {bus} busctl introspect org.holdfast1 /org/holdfast1/instance/web")
            self.screen.say(f"  {bus} busctl get-property org.holdfast1 /org/holdfast1/instance/web org.holdfast1.Instance State")
        self.screen.say(f"  ip -n {self.lb1.namespace} address show dev eth0")
        try:
            sys.stdin.readline()
        except KeyboardInterrupt:
            pass

    def close(self):
        self.screen.close()
        self.world.close()


def _build_ctl() -> str:
    from world import BUILD
    return str(BUILD / "src/ctl/holdfastctl")


BUILD_CTL = _build_ctl()


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev demo", description="two hosts keep one address in service beside nginx")
    parser.add_argument("--interval", type=parse_interval, default=1.0, metavar="1s|100ms", help="advertisement interval")
    parser.add_argument("--ipv6", action="store_true", help="the same acts with an IPv6 address")
    parser.add_argument("--keep", action="store_true", help="leave the hosts up and print commands to play with")
    parser.add_argument("--only-start", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()

    def interrupted(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupted)
    play = None
    try:
        play = Play(options.interval, options.ipv6)
        if options.only_start:
            play.start()
            play.keep()
            return 0
        play.all()
        status = play.table()
        if options.keep:
            play.keep()
        return status
    except KeyboardInterrupt:
        return 130
    except (TimeoutError, RuntimeError) as error:
        if play:
            play.screen.say(f"\n{error}\n{play.holders_and_logs()}")
            if play.rows:
                play.table()
        else:
            print(error, file=sys.stderr)
        return BROKEN_STATUS
    finally:
        if play:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not stop the cleaning up
            play.close()


if __name__ == "__main__":
    sys.exit(main())
