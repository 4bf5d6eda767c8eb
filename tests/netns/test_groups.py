"""Sync groups and pairs on a real wire: all members move together, also with a keepalived that has such a group of its own."""

from __future__ import annotations

import signal
import time

import pytest
from world import wait_for

VIPS = ("10.77.0.100", "10.77.0.101")


def two(interval: str, priorities, extra: str = "", second: str = "") -> str:
    hosts = ", ".join(f"lb{i + 1}: {p}" for i, p in enumerate(priorities))
    return (f"defaults: {{interface: eth0, advert_interval: {interval}, priority: {{{hosts}}}}}\n"
            f"instances:\n  web: {{vrid: 51, addresses: [{VIPS[0]}/24]}}\n"
            f"  inside: {{vrid: 52, addresses: [{VIPS[1]}/24]{second}}}\n"
            f"sync_groups: {{edge: {{instances: [web, inside]}}}}\n{extra}")


class Group:
    """lb1 (better) and lb2 with two addresses that move together."""

    def __init__(self, world, text: str, vips=VIPS, start=("lb1", "lb2")):
        self.vips, self.hosts = vips, [world.add("lb1"), world.add("lb2")]
        self.lb1, self.lb2 = self.hosts
        for host in self.hosts:
            host.start_bus()
            host.ip("link", "add", "uplink", "type", "veth", "peer", "name", "far-end")
            for link in ("uplink", "far-end"):
                host.ip("link", "set", link, "up")
        world.configure(text)
        for host in self.hosts:
            if host.name in start:
                host.start_holdfastd()

    def wait_on(self, name: str, seconds: float = 5):
        holders = lambda: [[host.name for host in self.hosts if host.has(vip)] for vip in self.vips]
        wait_for(lambda: all(each == [name] for each in holders()), seconds, f"all of {self.vips} on {name}, not {holders()}")


TRACKED = "trackers: {uplink: {interface: uplink}}\n"


def test_a_fault_of_one_member_moves_all_and_back(world):
    group = Group(world, two("100ms", (250, 200), TRACKED, ", track: [uplink]"))
    group.wait_on("lb1")
    group.lb1.ip("link", "set", "far-end", "down")
    group.wait_on("lb2")
    status = group.lb1.status()
    assert [i["State"] for i in status["Instances"]] == ["fault", "fault"]
    assert "uplink" in next(g for g in status["SyncGroups"] if g["Name"] == "edge")["StateReason"]["Text"]
    group.lb1.ip("link", "set", "far-end", "up")
    group.wait_on("lb1")


def test_failover_moves_the_group_whichever_name_is_given(world):
    group = Group(world, two("100ms", (250, 200)))
    group.wait_on("lb1")
    assert "edge" in group.lb1.ctl("failover", "inside")
    group.wait_on("lb2")
    group.lb2.ctl("failover", "edge")
    group.wait_on("lb1")


def test_kill_and_restart_adopts_the_whole_group(world):
    group = Group(world, two("1s", (250, 200)))
    group.wait_on("lb1", 8)
    before = [i["StateTimestampMonotonic"] for i in group.lb2.status()["Instances"]]
    group.lb1.holdfastd.kill(signal.SIGKILL)
    time.sleep(0.2)
    group.lb1.start_holdfastd()
    wait_for(lambda: [i["State"] for i in group.lb1.status().get("Instances", [])] == ["master", "master"], 3, "adoption of both")
    group.wait_on("lb1")
    assert [i["StateTimestampMonotonic"] for i in group.lb2.status()["Instances"]] == before


def test_both_families_of_an_instance_move_together(world):
    vips = ("10.77.0.100", "fd77::100")
    text = ("instances:\n  web:\n    interface: eth0\n    vrid: 51\n    advert_interval: 100ms\n    priority: {lb1: 250, lb2: 200}\n"
            "    addresses: [10.77.0.100/24, fd77::100/64]\n")
    group = Group(world, text, vips)
    group.wait_on("lb1")
    # Naming one family moves both.
    group.lb1.ctl("failover", "web/ipv6")
    group.wait_on("lb2")


def keepalived_group(host, priority: int, interval: float):
    text = f"global_defs {{\n router_id {host.name}\n vrrp_version 3\n}}\nvrrp_sync_group E {{\n group {{\n A\n B\n }}\n}}\n"
    for name, vrid, vip in zip("AB", (51, 52), VIPS):
        text += (f"vrrp_instance {name} {{\n state BACKUP\n interface eth0\n virtual_router_id {vrid}\n priority {priority}\n"
                 f" advert_int {interval:g}\n virtual_ipaddress {{\n  {vip}/24\n }}\n}}\n")
    return host.start_keepalived(text)


@pytest.mark.parametrize("better", ["holdfast", "keepalived"])
def test_a_keepalived_group_as_peer(world, better):
    ours, theirs = (250, 200) if better == "holdfast" else (200, 250)
    group = Group(world, two("100ms", (ours, ours), TRACKED, ", track: [uplink]"), start=("lb1",))
    peer = keepalived_group(group.lb2, theirs, 0.1)
    first, second = ("lb1", "lb2") if better == "holdfast" else ("lb2", "lb1")
    group.wait_on(first, 8)
    if better == "holdfast":
        group.lb1.ip("link", "set", "far-end", "down")
    else:
        peer.kill(signal.SIGTERM)
        peer.wait()
    group.wait_on(second, 8)
    if better == "holdfast":
        group.lb1.ip("link", "set", "far-end", "up")
    else:
        keepalived_group(group.lb2, theirs, 0.1)
    group.wait_on(first, 8)
    assert group.lb2.complaints() == []


def test_a_group_has_scripts_and_a_fifo_of_its_own(world):
    log = world.directory / "told"
    script = world.directory / "notify.sh"
    script.write_text(f"#!/bin/sh\necho $HOLDFAST_NODE $HOLDFAST_TYPE $HOLDFAST_NAME $HOLDFAST_STATE $HOLDFAST_INSTANCES : $* >> {log}\n")
    script.chmod(0o755)
    text = two("100ms", (250, 200)).replace("[web, inside]}", f"[web, inside], notify: {{master: [{script}, m], "
                                            f"stop: [{script}], all: [{script}]}}}}")
    group = Group(world, text, start=("lb1",))
    group.wait_on("lb1")
    told = lambda: log.read_text().splitlines() if log.exists() else []
    expected = ["lb1 GROUP edge BACKUP web inside : GROUP edge BACKUP 250", "lb1 GROUP edge MASTER web inside : m",
                "lb1 GROUP edge MASTER web inside : GROUP edge MASTER 250"]
    wait_for(lambda: told() == expected, 5, f"what the group's scripts are told, not {told()}")
    group.lb1.holdfastd.kill(signal.SIGTERM)
    assert group.lb1.holdfastd.wait() == 0
    assert told()[3:] == ["lb1 GROUP edge STOP web inside :", "lb1 GROUP edge STOP web inside : GROUP edge STOP 250"]
