"""Two or three hosts on a real switch, for each test anew.

`@pytest.mark.kernel("vrf")` is for tests that need more of the kernel than a build machine's may have: the suite `vm` runs
them in a virtual machine (tests/vm/machine.py), the suite `netns` all others."""

from __future__ import annotations

import os
import pathlib

import pytest
from verdict import Verdict, judge
from world import World, run, wait_for

COUNTER = iter(range(10_000))
IN_THE_MACHINE = bool(os.environ.get("HOLDFAST_VM"))


def pytest_configure(config):
    config.addinivalue_line("markers", "kernel(module, ...): needs these kernel modules; run by the suite vm")


def pytest_runtest_setup(item):
    modules = [module for mark in item.iter_markers("kernel") for module in mark.args]
    if IN_THE_MACHINE:
        for module in modules:
            run("modprobe", module)
    elif lacking := [module for module in modules if not pathlib.Path("/sys/module", module).exists()]:
        pytest.skip(f"this kernel has no {', '.join(lacking)} loaded; the suite vm runs it with Debian's kernel")


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture
def world():
    with World(f"hft{os.getpid() % 1000}n{next(COUNTER)}") as instance:
        yield instance


def yaml(vip: str, interval: str = "100ms", priorities=(250, 200), extra: str = "", instance_extra: str = "") -> str:
    hosts = ", ".join(f"lb{i + 1}: {p}" for i, p in enumerate(priorities))
    return (f"instances:\n  web:\n    interface: eth0\n    vrid: 51\n    advert_interval: {interval}\n"
            f"    priority: {{{hosts}}}\n    addresses: [{vip}]\n{instance_extra}{extra}")


def send_advert(host, destination: str, vrid: int = 51, priority: int = 254):
    """One well-formed VRRPv3 advert without pseudo-header in its checksum, from whoever `host` is."""
    host.run("/usr/bin/python3", "-c", f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("{host.addresses[0].split('/')[0]}"))
body = bytes([0x31, {vrid}, {priority}, 1, 0, 10, 0, 0, 10, 77, 0, 100])
total = sum(int.from_bytes(body[i:i+2], 'big') for i in range(0, len(body), 2))
total = (total & 0xffff) + (total >> 16)
body = body[:6] + (~total & 0xffff).to_bytes(2, 'big') + body[8:]
s.sendto(body, ('{destination}', 0))
""")


def promised(client, since: float, bound_ms: float):
    """What the client saw, which has to be within the bound; a machine that was too late itself shows nothing."""
    seen, verdict, reason = judge(client, since, bound_ms)
    if verdict is Verdict.UNSURE:
        pytest.skip(f"{seen}: {reason}")
    assert verdict is Verdict.KEPT, seen
    return seen


class Pair:
    """lb1 (better) and lb2, running, with the address on lb1."""

    def __init__(self, world: World, vip: str = "10.77.0.100", interval: str = "100ms", hosts: int = 2, priorities=(250, 200),
                 prefix: str = "/24", start: bool = True, bus: bool = True, **more):
        self.world, self.vip = world, vip
        self.seconds = float(interval[:-2]) / 1000 if interval.endswith("ms") else float(interval[:-1])
        self.hosts = [world.add(f"lb{i + 1}") for i in range(hosts)]
        self.lb1, self.lb2 = self.hosts[:2]
        self.text = yaml(vip + prefix, interval, priorities, **more)
        world.configure(self.text)
        if bus:
            for host in self.hosts:
                host.start_bus()
        if start:
            self.start()

    def start(self):
        for host in self.hosts:
            host.start_holdfastd()
        self.wait_on("lb1", 4 * self.seconds + 3)

    def holders(self) -> list[str]:
        return [host.name for host in self.hosts if host.has(self.vip)]

    def wait_on(self, name: str, seconds: float):
        wait_for(lambda: self.holders() == [name], seconds, f"{self.vip} on {name} alone, not {self.holders()}", every=0.01)

    def instance(self, host, name: str = "web") -> dict:
        return next(i for i in host.status()["Instances"] if i["Name"] == name)
