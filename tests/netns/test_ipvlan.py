"""Addresses on an ipvlan: an interface of their own with the MAC address of the one under it."""

from __future__ import annotations

import pytest
from conftest import Pair
from test_virtual_mac import ask, holds, is_up, links, neighbor, stop_and_see_nothing_left, sysctl
from world import wait_for

pytestmark = pytest.mark.kernel("ipvlan")

VIPS = {4: ("10.77.0.100", "/24"), 6: ("fd77::100", "/64")}
NAMES = {4: "vrrp.51", 6: "vrrp6.51"}


class IpvlanPair(Pair):
    def __init__(self, world, family: int = 4, ipvlan: str = "on", **more):
        self.name = NAMES[family]
        vip, prefix = VIPS[family]
        super().__init__(world, vip, prefix=prefix, instance_extra=f"    ipvlan: {ipvlan}\n", **more)

    def holders(self) -> list[str]:
        return [host.name for host in self.hosts if holds(host, self.vip)]


def mac(host) -> str:
    return links(host)["eth0"]["address"]


@pytest.mark.parametrize("family", [4, 6])
def test_two_hosts_fail_over_and_back(world, family):
    pair = IpvlanPair(world, family)
    mine, standby = links(pair.lb1)[pair.name], links(pair.lb2)[pair.name]
    assert (mine["linkinfo"]["info_kind"], mine["linkinfo"]["info_data"]["mode"], mine["link"]) == ("ipvlan", "l2", "eth0")
    assert (mine["group"], mine["address"]) == ("112", mac(pair.lb1))
    assert [entry["local"] for entry in mine["addr_info"]] == [pair.vip]
    assert standby["addr_info"] == [] and not is_up(pair.lb2, pair.name)
    client = world.add("client")
    wait_for(lambda: ask(client, pair.vip), 3, "an answer of lb1")
    assert neighbor(client, pair.vip) == mac(pair.lb1)
    pair.lb1.ctl("failover", "web")
    pair.wait_on("lb2", 3)
    wait_for(lambda: ask(client, pair.vip), 3, "an answer of lb2")
    assert neighbor(client, pair.vip) == mac(pair.lb2)
    assert not is_up(pair.lb1, pair.name)
    pair.lb2.holdfastd.kill()
    wait_for(lambda: holds(pair.lb1, pair.vip) and neighbor(client, pair.vip) == mac(pair.lb1), 5, "lb1 to take over")
    wait_for(lambda: ask(client, pair.vip), 3, "an answer of lb1")


def test_a_stop_takes_the_ipvlan_away_also_after_a_crash(world):
    pair = IpvlanPair(world)
    assert (sysctl(pair.lb1, "eth0/arp_ignore"), sysctl(pair.lb1, "eth0/arp_announce")) == ("1", "2")
    pair.lb1.holdfastd.kill()
    pair.lb1.holdfastd.wait()
    assert pair.name in links(pair.lb1)
    pair.lb1.start_holdfastd()
    pair.wait_on("lb1", 8)
    stop_and_see_nothing_left(pair, "arp_ignore", "arp_announce")


def test_a_reload_changes_the_mode_and_the_kind(world):
    pair = IpvlanPair(world)
    for value, kind in (("ipvlan: {mode: private}", "ipvlan"), ("virtual_mac: on", "macvlan"), ("ipvlan: {mode: vepa}", "ipvlan")):
        world.configure(pair.text.replace("ipvlan: on", value))
        for host in pair.hosts:
            host.ctl("reload")
        shown = lambda host: links(host).get(pair.name, {}).get("linkinfo", {})
        wait_for(lambda: all(shown(host).get("info_kind") == kind for host in pair.hosts), 5, f"{value} on both")
        if kind == "ipvlan":
            mode = value.split(": ")[2].rstrip("}")
            wait_for(lambda: mode in pair.lb1.ip("-d", "link", "show", pair.name), 5, mode)
        pair.wait_on("lb1", 5)
        wait_for(lambda: is_up(pair.lb1, pair.name), 3, "it to be up")
    world.configure(pair.text.replace("    ipvlan: on\n", ""))
    for host in pair.hosts:
        host.ctl("reload")
    wait_for(lambda: all(set(links(host)) == {"lo", "eth0"} for host in pair.hosts), 5, "no ipvlan")
    pair.wait_on("lb1", 5)


def test_an_interface_with_a_macvlan_of_others_is_a_fault_that_says_so(world):
    pair = IpvlanPair(world, start=False)
    pair.lb1.ip("link", "add", "other", "link", "eth0", "type", "macvlan")
    for host in pair.hosts:
        host.start_holdfastd()
    pair.wait_on("lb2", 5)
    mine = pair.instance(pair.lb1)
    assert (mine["State"], mine["StateReason"]["Code"]) == ("fault", "ipvlan")
    assert "has macvlans, which leave no room for an ipvlan" in mine["StateReason"]["Text"]
    pair.lb1.ip("link", "del", "other")
    pair.wait_on("lb1", 8)


def test_an_ipvlan_that_somebody_deletes_is_back_at_once(world):
    pair = IpvlanPair(world)
    before = pair.instance(pair.lb2)["Counters"]["became_master"]
    pair.lb1.ip("link", "del", pair.name)
    wait_for(lambda: holds(pair.lb1, pair.vip) and is_up(pair.lb1, pair.name), 2, "the address to come back")
    assert ask(world.add("client"), pair.vip)
    assert pair.instance(pair.lb2)["Counters"]["became_master"] == before
