"""Two hosts on a switch with holdfast or keepalived on each, and what watches them: the tap and the address watcher.

Both kinds of daemon have one face (start, stop, crash), so that a benchmark reads the same for both.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import pathlib
import re
import signal
import time

from client import Client
from figures import PRIORITY, master_down
from world import BUILD, Host, Process, World, now, run, wait_for

HERE = BUILD / "tests/bench"
VIP = "10.77.0.100"
VRID = 51
COUNTER = iter(range(10_000))


@dataclasses.dataclass(frozen=True)
class Advert:
    time: float
    host: str
    link: str
    vrid: int
    priority: int
    deadline: float

    @property
    def router(self) -> tuple:
        return self.link, self.vrid


class Lines:
    """A tool that writes a line per event into a file; read() gives what is new since the last call."""

    def __init__(self, process: Process, parse):
        self.process, self.parse = process, parse
        self.seen: list = []
        self._offset = 0
        wait_for(lambda: "ready" in self._text_from_start(), 5, f"{process.command} to be ready")
        self._offset = len("ready\n")

    def _text_from_start(self) -> str:
        return self.process.log.read_text(errors="replace")

    def read(self) -> list:
        with open(self.process.log, "rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._offset += whole
        self.seen += [self.parse(line.split()) for line in data[:whole].decode().splitlines()]
        return self.seen

    def since(self, moment: float) -> list:
        return [event for event in self.read() if event.time >= moment]

    def forget(self):
        self.read()
        self.seen.clear()


@dataclasses.dataclass(frozen=True)
class AddressEvent:
    time: float
    added: bool
    address: str


def parse_advert(words) -> Advert:
    _, host, *link = words[1].split("-")  # the port: p-HOST, or p-HOST-LINK
    return Advert(int(words[0]) / 1e9, host, link[0] if link else "eth0", int(words[2]), int(words[3]), int(words[4]) / 1e9)


def parse_address(words) -> AddressEvent:
    return AddressEvent(int(words[0]) / 1e9, words[1] == "add", words[2])


# ---- the daemons ---------------------------------------------------------------------------------------------------------

class Holdfast:
    kind = "holdfast"

    def __init__(self, host: Host):
        self.host = host

    def start(self) -> Process:
        return self.host.start_holdfastd()

    def start_timed(self) -> float:
        """Starts, and the moment of exec(2) of the daemon itself."""
        spawn = self.host.spawn
        try:  # the same command line as ever, behind a program that tells the time
            self.host.spawn = lambda name, *command: spawn(name, HERE / "holdfast-bare", "exec", *command)
            before = len(self.host.log("holdfastd"))
            self.host.start_holdfastd()
        finally:
            del self.host.spawn
        line = wait_for(lambda: re.match(r"(\d+)\n", self.host.log("holdfastd")[before:]), 5, "exec")
        return int(line[1]) / 1e9

    def process(self) -> Process:
        return self.host.holdfastd

    def pids(self) -> list[int]:
        return [self.process().pid]

    def stop(self) -> float:
        return self.process().kill(signal.SIGTERM)

    def crash(self) -> float:
        moment = self.process().kill()
        self.process().wait()
        return moment

    def configure(self, service: "Service"):
        self.host.world.configure(service.holdfast())

    def reload(self) -> tuple[float, float]:
        """The moment when the command was started, and how long its answer took: the new file is in force then."""
        began = now()
        self.host.ctl("reload")
        return began, now() - began

    def log(self) -> str:
        return self.host.log("holdfastd")


class Keepalived:
    kind = "keepalived"

    def __init__(self, host: Host, service: "Service", log: bool = False):
        self.host = host
        self.file = host.directory / "keepalived.conf"
        self.configure(service)
        self.file.chmod(0o644)
        self.flags = ["-l", "-D"] if log else ["-G"]

    def start(self) -> Process:
        for name in ("keepalived.pid", "vrrp.pid"):
            (self.host.directory / name).unlink(missing_ok=True)
        return self.host.spawn("keepalived", "keepalived", "-n", "-P", *self.flags, "-f", self.file,
                               "-p", self.host.directory / "keepalived.pid", "-r", self.host.directory / "vrrp.pid")

    def process(self) -> Process:
        return self.host.processes["keepalived"]

    def pids(self) -> list[int]:
        pid = self.process().pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        return [pid, *map(int, children.read_text().split())] if children.exists() else [pid]

    def stop(self) -> float:
        return self.process().kill(signal.SIGTERM)

    def crash(self) -> float:
        """All of its processes at once, and gone: a zombie child would stop the next start.

        Stopped first, children before their parent: a child that outlives its parent by a moment gets SIGTERM and leaves
        politely, and a parent that outlives its child starts another.
        """
        pids = self.pids()[::-1]
        moment = now()
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        self.process().wait()
        wait_for(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids), 2, "the child's end", every=0.001)
        return moment

    def configure(self, service: "Service"):
        self.file.write_text(service.keepalived(self.host))

    def reload(self) -> tuple[float, float]:
        """As holdfast's; but nothing tells when it is done."""
        return self.process().kill(signal.SIGHUP), math.nan

    def log(self) -> str:
        return self.host.log("keepalived")


# ---- their configuration ---------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Service:
    """What both configurations say: the instances, their interval, what they track."""
    interval: float
    vips: dict  # vrid on eth0, or (link, vrid) -> list of addresses with prefix length
    track_nginx: str = ""  # "process"; for keepalived "script" or "process"
    excluded: tuple = ()  # of each instance

    def routers(self) -> dict:
        """(link, vrid) -> addresses"""
        return {key if isinstance(key, tuple) else ("eth0", key): vips for key, vips in self.vips.items()}

    def links(self) -> list[str]:
        """All but eth0, which a host has anyway."""
        return list(dict.fromkeys(link for link, _ in self.routers() if link != "eth0"))

    def holdfast(self) -> str:
        lines = [f"defaults: {{interface: eth0, advert_interval: {self.interval * 1000:g}ms}}", "instances:"]
        priority = ", ".join(f"{host}: {value}" for host, value in PRIORITY.items())
        track = ", track: [nginx]" if self.track_nginx else ""
        joint = ",\n    "  # a line of the file has a bound
        more = f", excluded_addresses: [{joint.join(self.excluded)}]" if self.excluded else ""
        for (link, vrid), vips in self.routers().items():
            name, where = (f"v{vrid}", "") if link == "eth0" else (f"{link}-{vrid}", f"interface: {link}, ")
            lines.append(f"  {name}: {{{where}vrid: {vrid}, priority: {{{priority}}}, addresses: [{', '.join(vips)}]{more}{track}}}")
        if self.track_nginx:
            lines.append("trackers: {nginx: {process: nginx}}")
        return "\n".join(lines) + "\n"

    def keepalived(self, host: Host) -> str:
        lines = [f"global_defs {{ router_id {host.name}\n vrrp_version 3\n script_user root\n enable_script_security }}"]
        track = ""
        if self.track_nginx == "script":
            script = host.directory / "alive.sh"
            # killall -0 would find the other host's nginx too: the hosts of the lab share one PID namespace.
            script.write_text(f"#!/bin/sh\nkill -0 $(cat {host.directory}/nginx.pid)\n")
            script.chmod(0o755)
            lines.append(f"vrrp_script nginx {{ script {script}\n interval 1\n fall 2\n rise 1\n weight -150 }}")
            track = "track_script { nginx }"
        elif self.track_nginx == "process":
            lines.append("vrrp_track_process nginx { process nginx\n weight 0 }")
            track = "track_process { nginx }"
        excluded = "\n".join(self.excluded)
        more = f"virtual_ipaddress_excluded {{\n{excluded}\n}}" if self.excluded else ""
        for (link, vrid), vips in self.routers().items():
            addresses = "\n".join(vips)
            lines.append(f"vrrp_instance {link}_{vrid} {{ state BACKUP\n interface {link}\n virtual_router_id {vrid}\n"
                         f" priority {PRIORITY[host.name]}\n advert_int {self.interval:g}\n"
                         f" virtual_ipaddress {{ {addresses} }}\n {more}\n {track} }}")
        return "\n".join(lines) + "\n"


def one(interval: float, track_nginx: str = "") -> Service:
    return Service(interval, {VRID: [f"{VIP}/24"]}, track_nginx)


def many(interval: float, count: int) -> Service:
    return Service(interval, {vrid: [f"10.77.1.{vrid}/32"] for vrid in range(1, count + 1)})


# ---- the pair --------------------------------------------------------------------------------------------------------------

class Pair:
    """lb1 (200) and lb2 (100) running the given kinds; use as a context. `now` is CLOCK_MONOTONIC, as everywhere."""

    def __init__(self, first: str, second: str, service: Service, client: bool = False, nginx: bool | None = None,
                 tap: bool = True, log: bool = False, start: bool = True):
        self.service, self.interval = service, service.interval
        self.world = World(f"hfb{os.getpid() % 10000}n{next(COUNTER)}")
        try:
            self.lb1, self.lb2 = self.world.add("lb1"), self.world.add("lb2")
            self.other = self.world.add("client")
            for host in (self.lb1, self.lb2):
                if client if nginx is None else nginx:
                    host.start_nginx()
            self.world.add_links(service.links(), (self.lb1, self.lb2))
            self.world.configure(service.holdfast())
            self.first, self.second = self._daemon(first, self.lb1, log), self._daemon(second, self.lb2, log)
            self.tap = self.start_tap() if tap else None
            if start:
                self.second.start()
                self.first.start()
                self.settled()
            self.client = Client(self.other, VIP, interval=0.001) if client else None
            if client:
                wait_for(lambda: self.client.last_host == "lb1", 5, "an answer of lb1")
        except BaseException:
            self.world.close()
            raise

    def _daemon(self, kind: str, host: Host, log: bool):
        if kind == "keepalived":
            return Keepalived(host, self.service, log)
        host.start_bus()
        return Holdfast(host)

    def _tool(self, name: str, namespace: str, program: str, *arguments) -> Lines:
        directory = self.world.directory
        process = Process(["ip", "netns", "exec", namespace, HERE / f"holdfast-{program}", *arguments],
                          directory / f"{name}-{next(COUNTER)}.txt")
        self.world.undo(process.end)
        return Lines(process, parse_advert if program == "tap" else parse_address)

    def start_tap(self, every: int = 1) -> Lines:
        """Of lb1 only the virtual routers whose VRID `every`, a power of two, divides; of the others all."""
        others = (port for host in self.world.hosts.values() if host is not self.lb1 for port in host.ports)
        return self._tool("tap", self.world.switch, "tap", *others, "--every", str(every), *self.lb1.ports)

    def watch(self, host: Host) -> Lines:
        return self._tool(f"watch-{host.name}", host.namespace, "watch")

    def spawn(self, host: Host, name: str, *command) -> Process:
        process = host.spawn(name, *command)
        return process

    # ---- waiting and looking ---------------------------------------------------------------------------------------

    def vip(self) -> str:
        return next(iter(self.service.vips.values()))[0].split("/")[0]

    def last_vip(self) -> str:
        return list(self.service.vips.values())[-1][-1].split("/")[0]

    def settled(self, seconds: float | None = None):
        """lb1 alone holds every address (looked at through the last one)."""
        limit = seconds or 2 * master_down("lb2", self.interval) + 8
        links = [link for link, _ in self.service.routers()]
        first, last = links[0], links[-1]
        wait_for(lambda: self.lb1.has(self.last_vip(), last) and not self.lb2.has(self.vip(), first) and
                 not self.lb2.has(self.last_vip(), last),
                 limit, "the addresses on lb1 alone", every=0.02)
        time.sleep(min(0.3, 3 * self.interval))

    def adverts(self, host: str, since: float, vrid: int = VRID) -> list[Advert]:
        """Adverts that claim mastership, by the kernel's stamp."""
        return [a for a in self.tap.since(since) if a.host == host and a.vrid == vrid and a.priority > 0]

    def first_advert(self, host: str, since: float, seconds: float) -> Advert:
        return wait_for(lambda: self.adverts(host, since), seconds, f"an advert of {host}", every=0.003)[0]

    def takeovers(self, since: float) -> int:
        """How many times lb2 began to claim mastership, over all virtual routers, as seen on the wire.

        A standby that takes over was silent for its master-down interval, more than three advert intervals; a master that
        yields may send one last advert, but right behind the one before.
        """
        last, count = {}, 0
        for advert in sorted((a for a in self.tap.since(since) if a.host == "lb2" and a.priority > 0), key=lambda a: a.time):
            count += advert.time - last.get(advert.router, -1.0) > 2.5 * self.interval
            last[advert.router] = advert.time
        return count

    def outage(self, since: float):
        """Every request from `since` to now, judged."""
        until = now()
        self.client.settle()
        return self.client.outage(since, until)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.world.close()


def cpu_ns(pids) -> int:
    """Time on a processor of all threads (schedstat), which counts what the scheduler gave and not ticks."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                total += int((task / "schedstat").read_text().split()[0])
    return total


def port_packets(world: World, host: Host) -> int:
    """Packets that came into the switch from this host, over all of its cables."""
    links = json.loads(run("ip", "-n", world.switch, "-j", "-s", "link", "show"))
    return sum(link["stats64"]["rx"]["packets"] for link in links if link["ifname"] in host.ports)


def have_ctl() -> bool:
    return (BUILD / "src/ctl/holdfastctl").exists()
