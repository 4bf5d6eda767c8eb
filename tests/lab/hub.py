#!/usr/bin/python3
"""A bad network, made of frames in user space: a hub between the hosts' cables that loses, delays, reorders, duplicates and
cuts, each direction by itself, as told while it runs. The kernel's own (netem) is not in every kernel, and is not seeded.

One invariant: a frame leaves as it came, or not at all; its checksum offload (virtio header) goes along.

    hub.py SOCKET SEED NAME=PORT...     listens on SOCKET; one JSON object a connection, answered with "ok"
"""

from __future__ import annotations

import contextlib
import dataclasses
import heapq
import json
import pathlib
import random
import select
import socket
import sys
import time

SOL_PACKET, PACKET_IGNORE_OUTGOING, PACKET_VNET_HDR, ETH_P_ALL = 263, 23, 15, 3
LARGEST = 70_000  # a segment that is cut only where it leaves the machine


@dataclasses.dataclass
class Way:
    """From one host to another; per cent, and milliseconds."""
    loss: float = 0
    delay: float = 0
    jitter: float = 0      # evenly between delay - jitter and delay + jitter
    duplicate: float = 0
    reorder: float = 0     # of the frames, that come `behind` later than the rest
    behind: float = 30
    cut: bool = False


class Hub:
    def __init__(self, ports: dict[str, str], seed: int):
        self.chance = random.Random(seed)
        self.ways = {(a, b): Way() for a in ports for b in ports if a != b}
        self.sockets = {name: self.open(port) for name, port in ports.items()}
        self.waiting: list[tuple[float, int, str, bytes]] = []
        self.count = 0

    @staticmethod
    def open(port: str) -> socket.socket:
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        raw.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        raw.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        raw.bind((port, ETH_P_ALL))
        raw.setblocking(False)
        return raw

    def take(self, name: str):
        with contextlib.suppress(BlockingIOError, OSError):  # a cable that is down
            for _ in range(64):
                frame = self.sockets[name].recv(LARGEST)
                for other in self.sockets:
                    if other != name:
                        self.pass_on(self.ways[name, other], other, frame)

    def hits(self, per_cent: float) -> bool:
        return per_cent > 0 and self.chance.random() * 100 < per_cent

    def pass_on(self, way: Way, to: str, frame: bytes):
        if way.cut or self.hits(way.loss):
            return
        for _ in range(2 if self.hits(way.duplicate) else 1):
            wait = max(0.0, way.delay + self.chance.uniform(-way.jitter, way.jitter))
            wait += way.behind if self.hits(way.reorder) else 0
            self.count += 1
            heapq.heappush(self.waiting, (time.monotonic() + wait / 1000, self.count, to, frame))

    def send_due(self):
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, _, to, frame = heapq.heappop(self.waiting)
            with contextlib.suppress(OSError):
                self.sockets[to].send(frame)

    def change(self, what: dict):
        """{"from": NAME or "*", "to": NAME or "*", and what of a Way is set}; nothing but the two: healed."""
        sender, to = what.pop("from", "*"), what.pop("to", "*")
        for a, b in self.ways:
            if sender in ("*", a) and to in ("*", b):
                self.ways[a, b] = dataclasses.replace(self.ways[a, b], **what) if what else Way()

    def run(self, door: socket.socket):
        names = {raw.fileno(): name for name, raw in self.sockets.items()}
        poll = select.poll()
        for number in [*names, door.fileno()]:
            poll.register(number, select.POLLIN)
        while True:
            wait = max(0.0, self.waiting[0][0] - time.monotonic()) * 1000 if self.waiting else None
            for number, _ in poll.poll(wait):
                if number in names:
                    self.take(names[number])
                else:
                    with door.accept()[0] as caller:
                        self.change(json.loads(caller.recv(4096)))
                        caller.sendall(b"ok")
            self.send_due()


class BadNetwork:
    """The hosts' cables, taken out of the switch and put into a hub."""

    def __init__(self, world, seed: int = 1):
        from world import Process, run, wait_for  # the program itself needs nothing but Python
        self.path = world.directory / "hub"
        for host in world.hosts.values():
            run("ip", "-n", world.switch, "link", "set", host.port, "nomaster")
            run("ip", "netns", "exec", world.switch, "sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{host.port}/disable_ipv6")
        self.process = Process(["ip", "netns", "exec", world.switch, "/usr/bin/python3", __file__, self.path, str(seed),
                                *(f"{host.name}={host.port}" for host in world.hosts.values())], world.directory / "hub.log")
        world.undo(self.process.end)
        wait_for(self.path.exists, 5, "the hub")

    def set(self, sender: str = "*", to: str = "*", **what):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller:
            caller.settimeout(5)
            caller.connect(str(self.path))
            caller.sendall(json.dumps({"from": sender, "to": to, **what}).encode())
            assert caller.recv(16) == b"ok", f"the hub did not take {what}"

    def heal(self):
        self.set()


def main():
    path, seed, *ports = sys.argv[1:]
    hub = Hub(dict(port.split("=") for port in ports), int(seed))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        new = pathlib.Path(path + ".new")
        door.bind(str(new))
        door.listen()
        new.rename(path)  # there when it listens
        hub.run(door)


if __name__ == "__main__":
    main()
