"""The topologies that people build, each played by itself: who held what, when, and what a client of each address lost.

    sudo ./dev lab topologies [NAME...] [--interval 100ms]        plays and judges them
    sudo ./dev lab NAME                                           starts one and leaves it up, to play with

Everything is real: the holders are the kernel's own news of each host, the losses what a client saw that asks every 2 ms.
"""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
import threading
import time

from client import Client
from demo import BUILD_CTL, HANDOVER, NOISE_MS, YIELD, parse_interval
from verdict import BROKEN_STATUS, Verdict, exit_status, judge
from world import BUILD, Host, World, now, wait_for

FIRST, SECOND, THIRD = 250, 249, 248  # high priorities make the skew short


@dataclasses.dataclass(frozen=True)
class Change:
    """An address that came to a host or left it."""
    time: float
    host: str
    added: bool
    address: str


class Watcher:
    """The kernel's news of one host's addresses."""

    def __init__(self, host: Host, into: list[Change]):
        self._process = host.spawn("watch", BUILD / "tests/bench/holdfast-watch")
        self._host, self._into, self._seen = host, into, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        host.world.undo(self.stop)

    def _follow(self):
        while not self._stop.wait(0.02):
            lines = self._host.log("watch").splitlines(keepends=True)
            whole = [line for line in lines[self._seen:] if line.endswith("\n")]
            self._seen += len(whole)
            for line in whole:
                if line.strip() == "ready":
                    continue
                moment, what, address = line.split()
                self._into.append(Change(int(moment) / 1e9, self._host.name, what == "add", address))

    def stop(self):
        self._stop.set()
        self._thread.join()


class Stage:
    """Hosts with nginx, holdfastd and what watches them; one client for each address."""

    def __init__(self, topology: "Topology", interval: float):
        self.topology, self.interval = topology, interval
        self.changes: list[Change] = []
        self.verdicts: list[Verdict] = []
        self.missed: list[str] = []
        self.world = World("holdfast")
        try:
            self.hosts = {name: self.world.add(name) for name in topology.hosts}
            self.client_host = self.world.add("client")
            topology.wire(self)
            self.world.configure(topology.config.format(interval=f"{interval * 1000:g}ms"))
            for host in self.hosts.values():
                Watcher(host, self.changes)
                host.start_bus()
                host.start_nginx()
            self.began = now()
            for host in self.hosts.values():
                host.start_holdfastd()
            self.settled(topology.home, "the start", 3 * interval + 5)
            self.clients = {address: Client(self.client_host, address) for address in topology.home}
            wait_for(lambda: all(c.last_host == topology.home[a] for a, c in self.clients.items()), 5, "first answers")
        except BaseException:
            self.world.close()
            raise

    # ---- looking -------------------------------------------------------------------------------------------------------

    def holders(self) -> dict[str, list[str]]:
        return {address: [h.name for h in self.hosts.values() if h.has(address)] for address in self.topology.home}

    def settled(self, where: dict[str, str], what: str, seconds: float = 8):
        """Each address on its one host, and its client served from there."""
        def there():
            held = self.holders()
            answered = all(c.last_host == where[a] for a, c in getattr(self, "clients", {}).items())
            return answered and all(held[address] == [name] for address, name in where.items())
        try:
            wait_for(there, seconds, what, every=0.02)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.holders()}, not {where}") from None

    def master_down(self, priority: int) -> float:
        return self.interval * (3 + (256 - priority) / 256)

    def moves(self, since: float) -> list[Change]:
        """What came and went; that a lease was renewed is no news."""
        there, result = set(), []
        for change in sorted(self.changes, key=lambda c: c.time):
            key = change.host, change.address
            if change.address not in self.topology.home or (key in there) == change.added:
                continue
            (there.add if change.added else there.discard)(key)
            if change.time >= since:
                result.append(change)
        return result

    # ---- telling -------------------------------------------------------------------------------------------------------

    def act(self, title: str, do, where: dict[str, str], promise, settle: float = 8):
        """Does something, waits until all have settled, and tells what it meant for each address."""
        print(f"\n  {title}", flush=True)
        time.sleep(0.3)
        since = now()
        do()
        self.settled(where, title, settle)
        any_client = next(iter(self.clients.values()))
        any_client.settle()
        for change in self.moves(since):
            print(f"    {(change.time - since) * 1000:8.1f} ms  {change.address} {'on' if change.added else 'left'} {change.host}")
        for address, client in self.clients.items():
            bound, text = promise.get(address, HANDOVER) if isinstance(promise, dict) else promise
            seen, verdict, reason = judge(client, since, bound)
            self.verdicts.append(verdict)
            if verdict is Verdict.MISSED:
                self.missed.append(f"{self.topology.name}: {title}: {address} lost {seen.lost}, outage {seen.milliseconds:.0f} ms; "
                                   f"promised: {text}")
            print(f"    {address:14} lost {seen.lost:4}, outage {seen.milliseconds:6.0f} ms; promised: {text}  {verdict.value}"
                  f"{' (' + reason + ')' if reason else ''}", flush=True)

    def ctl(self, host: str, *arguments: str):
        return lambda: self.hosts[host].ctl(*arguments)

    def cable(self, host: str, plugged: bool, link: str = "eth0"):
        return lambda: self.hosts[host].cable(plugged, link)

    def stop(self, host: str):
        def do():
            self.hosts[host].holdfastd.kill(signal.SIGTERM)
            self.hosts[host].holdfastd.wait()
        return do

    def start(self, host: str):
        return lambda: self.hosts[host].start_holdfastd()

    def dead(self, priority: int):
        """The promise when a master is gone without a word."""
        bound = self.master_down(priority) * 1000
        return bound + NOISE_MS, f"master-down {bound:.0f} ms"

    def close(self):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.world.close()


# ---- the topologies -------------------------------------------------------------------------------------------------------

HEAD = "defaults: {{interface: eth0, advert_interval: {interval}}}\n"
A, B = "10.77.0.100", "10.77.0.101"


class Topology:
    name = title = config = ""
    hosts: tuple[str, ...] = ()
    home: dict[str, str] = {}  # where each address is when all is well

    def wire(self, stage: Stage):
        """More cables than every host's one."""

    def play(self, stage: Stage):
        raise NotImplementedError


class Standby(Topology):
    name, title = "standby", "active and standby: lb1 serves, lb2 stands by"
    hosts, home = ("lb1", "lb2"), {A: "lb1"}
    config = HEAD + f"instances:\n  web: {{{{vrid: 51, priority: {{{{lb1: {FIRST}, lb2: {SECOND}}}}}, addresses: [{A}/24]}}}}\n"

    def play(self, stage):
        there = {A: "lb2"}
        stage.act("lb1 is told to fail over", stage.ctl("lb1", "failover", "web"), there, HANDOVER)
        stage.act("lb2 is told to fail over", stage.ctl("lb2", "failover", "web"), self.home, HANDOVER)
        stage.act("lb1 loses its link", stage.cable("lb1", False), there, stage.dead(SECOND))
        stage.act("lb1 is back", stage.cable("lb1", True), self.home, YIELD)


class DualMaster(Topology):
    name, title = "dual-master", "dual master: each host serves an address and stands by for the other's"
    hosts, home = ("lb1", "lb2"), {A: "lb1", B: "lb2"}
    config = HEAD + (f"instances:\n  web: {{{{vrid: 51, priority: {{{{lb1: {FIRST}, lb2: {SECOND}}}}}, addresses: [{A}/24]}}}}\n"
                     f"  shop: {{{{vrid: 52, priority: {{{{lb1: {SECOND}, lb2: {FIRST}}}}}, addresses: [{B}/24]}}}}\n")

    def play(self, stage):
        stage.act("lb2 is stopped for work on it", stage.stop("lb2"), {A: "lb1", B: "lb1"}, HANDOVER)
        stage.act("lb2 is started again", stage.start("lb2"), self.home, {B: YIELD})
        stage.act("lb1 loses its link", stage.cable("lb1", False), {A: "lb2", B: "lb2"}, {A: stage.dead(SECOND)})
        stage.act("lb1 is back", stage.cable("lb1", True), self.home, {A: YIELD})


class Three(Topology):
    name, title = "three", "three hosts: lb1 and lb2 serve an address each, lb3 stands by for both"
    hosts, home = ("lb1", "lb2", "lb3"), {A: "lb1", B: "lb2"}
    config = HEAD + (f"instances:\n  web: {{{{vrid: 51, priority: {{{{lb1: {FIRST}, lb2: {THIRD}, lb3: {SECOND}}}}}, addresses: [{A}/24]}}}}\n"
                     f"  shop: {{{{vrid: 52, priority: {{{{lb1: {THIRD}, lb2: {FIRST}, lb3: {SECOND}}}}}, addresses: [{B}/24]}}}}\n")

    def play(self, stage):
        stage.act("lb1 loses its link: lb3, who stands by, takes its address", stage.cable("lb1", False), {A: "lb3", B: "lb2"},
                  {A: stage.dead(SECOND)})
        stage.act("lb3 is stopped too: lb2 is all that is left", stage.stop("lb3"), {A: "lb2", B: "lb2"}, HANDOVER)
        stage.act("lb3 is started again", stage.start("lb3"), {A: "lb3", B: "lb2"}, {A: YIELD})
        stage.act("lb1 is back", stage.cable("lb1", True), self.home, {A: YIELD})


class Heartbeat(Topology):
    """The client sits behind a gateway, so its answers need the default route, which only the master has. A port of a switch
    forwards later than its carrier is there, and no advert crosses this one to show it: hence up_delay."""
    name, title = "heartbeat", "heartbeat on a NIC of its own; the address and the default route on another move together"
    hosts, home = ("lb1", "lb2"), {A: "lb1"}
    config = ("defaults: {{interface: eth1, advert_interval: {interval}}}\n"
              f"instances:\n  web:\n    vrid: 51\n    priority: {{{{lb1: {FIRST}, lb2: {SECOND}}}}}\n"
              f"    addresses: [{{{{address: {A}/24, interface: eth0}}}}]\n"
              "    routes: [{{to: default, via: 10.77.0.254, interface: eth0}}]\n"
              "    track: [service]\ntrackers:\n  service: {{interface: eth0, up_delay: 2s}}\n")

    def wire(self, stage):
        stage.world.add_bridge("br1")
        for host in stage.hosts.values():
            host.add_link("eth1", "br1", f"10.78.0.{host.number}/24")
        client = stage.client_host
        client.ip("address", "add", "10.77.0.254/24", "dev", "eth0")
        client.ip("address", "add", "10.99.0.1/32", "dev", "lo")
        client.ip("route", "replace", "10.77.0.0/24", "dev", "eth0", "src", "10.99.0.1")

    def play(self, stage):
        there = {A: "lb2"}
        stage.act("lb1 is told to fail over", stage.ctl("lb1", "failover", "web"), there, HANDOVER)
        stage.act("lb2 is told to fail over", stage.ctl("lb2", "failover", "web"), self.home, HANDOVER)
        skew = stage.interval * (256 - SECOND) / 256 * 1000
        stage.act("lb1 loses the cable of its service: it says so by the heartbeat", stage.cable("lb1", False), there,
                  (skew + 10 + NOISE_MS, f"skew {skew:.1f} ms + 10 ms"))
        stage.act("the cable is back", stage.cable("lb1", True), self.home, YIELD)


TOPOLOGIES = {topology.name: topology for topology in (Standby(), DualMaster(), Three(), Heartbeat())}


# ---- the verb ---------------------------------------------------------------------------------------------------------------

def play(topology: Topology, interval: float) -> tuple[list[Verdict], list[str]]:
    print(f"\n== {topology.name}: {topology.title}, at {interval * 1000:g} ms adverts", flush=True)
    stage = Stage(topology, interval)
    try:
        for address, name in topology.home.items():
            print(f"    {address:14} on {name}")
        topology.play(stage)
        return stage.verdicts, stage.missed
    finally:
        stage.close()


def keep(topology: Topology, interval: float):
    stage = Stage(topology, interval)
    try:
        print(f"{topology.title}. It stays up until Enter or Ctrl-C. In another terminal:")
        for host in stage.hosts.values():
            print(f"  DBUS_SYSTEM_BUS_ADDRESS={host.bus_address} {BUILD_CTL} status        # on {host.name}")
        print(f"  ip -n {next(iter(stage.hosts.values())).namespace} address show dev eth0")
        sys.stdin.readline()
    finally:
        stage.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev lab", description="the topologies that people build, on this machine")
    parser.add_argument("names", nargs="*", choices=[*TOPOLOGIES, []], metavar="NAME", help=", ".join(TOPOLOGIES))
    parser.add_argument("--interval", type=parse_interval, default=0.1, metavar="1s|100ms", help="advertisement interval")
    parser.add_argument("--keep", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()

    def interrupted(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupted)
    try:
        if options.keep:
            keep(TOPOLOGIES[options.names[0]], options.interval)
            return 0
        played = [play(TOPOLOGIES[name], options.interval) for name in options.names or TOPOLOGIES]
        verdicts = [verdict for seen, _ in played for verdict in seen]
        counts = {verdict: verdicts.count(verdict) for verdict in Verdict}
        print(f"\nof {len(verdicts)} promises {counts[Verdict.KEPT]} were kept, {counts[Verdict.MISSED]} missed; of "
              f"{counts[Verdict.UNSURE]} this machine was too late itself to tell")
        for line in (line for _, missed in played for line in missed):
            print(f"missed: {line}")
        return exit_status(verdicts)
    except KeyboardInterrupt:
        return 130
    except (TimeoutError, RuntimeError) as error:
        print(f"\n{error}", file=sys.stderr)
        return BROKEN_STATUS


if __name__ == "__main__":
    sys.exit(main())
