"""The wire that adverts take: groups of one's own, VRFs, and virtual routers that nobody here is of."""

from __future__ import annotations

import signal
import time

import pytest
from conftest import Pair, send_advert, yaml
from world import wait_for

GROUPS = {4: ("multicast_group4", "224.0.0.77"), 6: ("multicast_group6", '"ff02::77"')}
VIPS = {4: ("10.77.0.100", "/24"), 6: ("fd77::100", "/64")}


@pytest.mark.parametrize("family", [4, 6])
def test_one_vrid_on_two_groups_is_two_virtual_routers(world, family):
    word, group = GROUPS[family]
    vip, prefix = VIPS[family]
    other = vip[:-1] + "1"
    pair = Pair(world, vip, prefix=prefix, start=False)
    world.configure(yaml(vip + prefix) + (
        f"  far:\n    interface: eth0\n    vrid: 51\n    advert_interval: 100ms\n    priority: {{lb1: 200, lb2: 250}}\n"
        f"    addresses: [\"{other}{prefix}\"]\n    {word}: {group}\n"))
    pair.start()
    wait_for(lambda: [h.name for h in pair.hosts if h.has(other)] == ["lb2"], 3, "the other group's master")
    time.sleep(0.5)
    for host in pair.hosts:
        for name in ("web", "far"):
            assert pair.instance(host, name)["Warnings"] == []
    pair.lb1.ctl("failover", "web")
    pair.wait_on("lb2", 3)
    assert pair.lb2.has(other)
    world.configure(yaml(vip + prefix))  # without the other: its group is left
    pair.lb1.ctl("reload")
    groups = lambda: pair.lb1.ip("maddress", "show", "dev", "eth0")
    wait_for(lambda: group.strip('"') not in groups(), 2, "the group to be left")
    assert ("224.0.0.18" if family == 4 else "ff02::12") in groups()


def test_keepalived_on_a_group_of_its_own(world):
    pair = Pair(world, start=False, priorities=(250, 250), instance_extra="    multicast_group4: 224.0.0.77\n")
    lb1, lb2 = pair.hosts
    configuration = (
        "global_defs {\n router_id lb2\n vrrp_version 3\n vrrp_mcast_group4 224.0.0.77\n}\n"
        "vrrp_instance V {\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority 200\n advert_int 0.1\n"
        " virtual_ipaddress {\n  10.77.0.100/24\n }\n}\n")
    lb1.start_holdfastd()
    pair.wait_on("lb1", 3)
    lb2.start_keepalived(configuration)
    time.sleep(1)
    assert pair.holders() == ["lb1"]
    lb1.holdfastd.kill(signal.SIGTERM)
    pair.wait_on("lb2", 3)
    lb1.holdfastd.wait()
    lb1.start_holdfastd()
    pair.wait_on("lb1", 4)
    assert lb2.complaints() == []


@pytest.mark.kernel("vrf")
@pytest.mark.parametrize("family", [4, 6])
def test_an_interface_in_a_vrf(world, family):
    vip, prefix = VIPS[family]
    pair = Pair(world, vip, prefix=prefix, start=False)
    for host in pair.hosts:
        host.ip("link", "add", "blue", "type", "vrf", "table", "100")
        host.ip("link", "set", "blue", "up")
        host.ip("link", "set", "eth0", "master", "blue")
        for address in host.addresses:  # IPv6 ones leave with the change of tables
            host.ip("address", "replace", address, "dev", "eth0")
    pair.start()
    pair.lb1.ctl("failover", "web")
    pair.wait_on("lb2", 3)
    pair.lb2.holdfastd.kill()
    wait_for(lambda: pair.lb1.has(vip), 3, "the takeover")


def test_an_unknown_vrid_is_named_where_that_is_asked_for(world):
    pair = Pair(world, start=False)
    world.configure("log_unknown_vrids: true\n" + yaml(pair.vip))
    pair.start()
    stranger = world.add("stranger")
    send_advert(stranger, "224.0.0.18", vrid=99)
    send_advert(stranger, "224.0.0.18", vrid=99)
    line = "10.77.0.3 sends adverts of vrid 99 to 224.0.0.18 on eth0, and no instance here is of that virtual router"
    wait_for(lambda: line in pair.lb1.log("holdfastd"), 4, "the line")
    time.sleep(0.5)
    assert pair.lb1.log("holdfastd").count(line) == 1
    assert pair.holders() == ["lb1"]
