"""Every method and every property of every object with values that nobody means, by root and by nobody: each call ends with an answer
or a named error, the daemon goes on, and its standby never becomes master."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import xml.dom.minidom as dom

from conftest import Pair
from test_ctl import start_open_bus
from world import wait_for

ROUNDS = 4  # of each method
EXTRA = ("sync_groups: {edge: {instances: [web]}}\n"
         "virtual_servers: {pool: {kind: nginx, check: {tcp: {}, interval: 1s}, real_servers: {a: {address: '127.0.0.1:8081'}}}}\n")
WORDS = ["", "web", "edge", "pool", "a", "nginx", "../../etc/passwd", "web\n", "x" * 255, "x" * 4000, "\u202e", "%s%n",
         "{address: 127.0.0.1:9}", "{address: [", "org.holdfast1.Instance", "State", "/", "-1", "\x1b[2J"]
NUMBERS = {"y": [0, 1, 254, 255], "u": [0, 1, 65535, 4294967295], "i": [-2147483648, -1, 0, 2147483647], "t": [0, 1, 18446744073709551615],
           "x": [-9223372036854775808, 0, 9223372036854775807], "q": [0, 65535], "n": [-32768, 32767], "d": ["nan", "-inf", "1e308"]}


def value(rng: random.Random, signature: str) -> list[str]:
    """What busctl wants for one complete type."""
    if signature in NUMBERS:
        return [str(rng.choice(NUMBERS[signature]))]
    if signature == "b":
        return [rng.choice(["true", "false"])]
    if signature == "s":
        return [rng.choice(WORDS)]
    if signature == "o":
        return [rng.choice(["/", "/org/holdfast1", "/org/holdfast1/instance/web", "/x"])]
    if signature == "as":
        return [str(count := rng.randrange(4)), *(rng.choice(WORDS) for _ in range(count))]
    if signature == "a{sv}":
        count = rng.randrange(4)
        pairs = []
        for _ in range(count):
            kind = rng.choice(["s", "t", "b", "u", "as"])
            pairs += [rng.choice(["force", "hold-usec", "persistent", "timeout-usec", *WORDS]), kind, *value(rng, kind)]
        return [str(count), *pairs]
    if signature == "v":
        kind = rng.choice(["s", "t", "b"])
        return [kind, *value(rng, kind)]
    raise AssertionError(f"no values for {signature}: write some")


class Caller:
    def __init__(self, host, become: list[str]):
        self.host, self.become = host, become
        self.environment = {**os.environ, "LC_ALL": "C.UTF-8"}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([*self.become, "busctl", f"--address={self.host.bus_address}", "--timeout=30", "--json=short", "--", *arguments],
                              capture_output=True, text=True, errors="replace", env=self.environment, check=False)


def objects(busctl: Caller) -> dict[str, list]:
    """Path -> its interfaces, by introspection alone."""
    found, paths = {}, ["/org/holdfast1", "/org/freedesktop/LogControl1"]
    while paths:
        path = paths.pop()
        text = busctl("call", "org.holdfast1", path, "org.freedesktop.DBus.Introspectable", "Introspect").stdout
        document = dom.parseString(json.loads(text)["data"][0]).documentElement
        found[path] = [node for node in document.childNodes if node.nodeName == "interface"]
        paths += [f"{path.rstrip('/')}/{node.getAttribute('name')}" for node in document.childNodes if node.nodeName == "node"]
    return found


def test_no_call_of_anybody_hurts(world):
    pair = Pair(world, start=False, bus=False, extra=EXTRA)
    for host in pair.hosts:
        start_open_bus(host)
    pair.start()
    wait_for(lambda: pair.instance(pair.lb1)["State"] == "master", 5, "a master")
    root = Caller(pair.lb1, [])
    nobody = Caller(pair.lb1, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
    pid, before = pair.lb1.holdfastd.pid, pair.instance(pair.lb1)["Counters"]["adverts_sent"]
    rng, calls, odd = random.Random(20261122), 0, []
    everything = objects(root)
    assert {"/org/holdfast1", "/org/holdfast1/instance/web", "/org/holdfast1/virtual_server/pool", "/org/holdfast1/virtual_server/pool/real_server/a"} <= set(everything)
    for path, interfaces in everything.items():
        for interface in interfaces:
            name = interface.getAttribute("name")
            asked = [(method.getAttribute("name"), [arg.getAttribute("type") for arg in method.getElementsByTagName("arg")
                                                    if arg.getAttribute("direction") == "in"])
                     for method in interface.getElementsByTagName("method")]
            for method, signatures in asked:
                for caller in (root, nobody) * (1 if not signatures else ROUNDS):
                    given = ["".join(signatures), *(word for each in signatures for word in value(rng, each))] if signatures else []
                    done = caller("call", "org.holdfast1", path, name, method, *given)
                    calls += 1
                    if done.returncode and (not re.match(r"Call failed: \S", done.stderr) or "not connected" in done.stderr):
                        odd.append((path, method, given, done.stderr))
                    if "imed out" in done.stderr:
                        odd.append((path, method, given, "no answer"))
            for prop in interface.getElementsByTagName("property"):
                for caller in (root, nobody):
                    done = caller("call", "org.holdfast1", path, "org.freedesktop.DBus.Properties", "Set", "ssv", name, prop.getAttribute("name"),
                                  *value(rng, "v"))
                    calls += 1
                    if done.returncode == 0 and prop.getAttribute("access") != "readwrite":
                        odd.append((path, prop.getAttribute("name"), "could be set", ""))
                    got = caller("get-property", "org.holdfast1", path, name, prop.getAttribute("name"))
                    if got.returncode:
                        odd.append((path, prop.getAttribute("name"), "could not be read", got.stderr))
    assert not odd, odd[:10]
    assert calls > 300
    assert pair.lb1.holdfastd.alive() and pair.lb1.holdfastd.pid == pid
    # What was done with leave (maintenance, a priority, a takeover elsewhere) is undone, and all is as it was.
    assert root("call", "org.holdfast1", "/org/holdfast1", "org.holdfast1.Manager", "SetMaintenance", "bs", "false", "").returncode == 0
    assert root("call", "org.holdfast1", "/org/holdfast1", "org.holdfast1.Manager", "SetPriority", "sy", "web", "0").returncode == 0
    pair.lb1.ctl("takeover", "web", "--force", check=False)
    wait_for(lambda: pair.holders() == ["lb1"], 15, "lb1 to hold the address alone")
    assert pair.instance(pair.lb1)["Counters"]["adverts_sent"] > before
