"""An interface that is renamed, deleted, made anew or taken down while the daemon runs: the other host serves meanwhile, and
what comes back is taken up by its name; with the addresses on the interface itself and on a macvlan of it."""

from __future__ import annotations

import itertools
import time

import pytest
from conftest import Pair
from test_virtual_mac import ask, holds, links
from world import run, wait_for

KINDS = ["plain", "virtual"]


def pair_of(world, kind: str) -> Pair:
    class Anywhere(Pair):
        def holders(self):
            return [host.name for host in self.hosts if "eth0" in links(host) and holds(host, self.vip)]
    return Anywhere(world, instance_extra="    virtual_mac: on\n" if kind == "virtual" else "")


def plug_in(host):
    """A new cable, as the world made the first one."""
    run("ip", "link", "add", "eth0", "netns", host.namespace, "type", "veth", "peer", "name", host.port, "netns", host.world.switch)
    host.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad")
    host.ip("link", "set", "eth0", "up")
    for address in host.addresses:
        host.ip("address", "add", address, "dev", "eth0")
    run("ip", "-n", host.world.switch, "link", "set", host.port, "master", "br0", "up")


def take_down(host):
    host.ip("link", "set", "eth0", "down")


def bring_up(host):
    host.ip("link", "set", "eth0", "up")
    if not any(entry["local"] == host.addresses[1].split("/")[0] for entry in links(host)["eth0"]["addr_info"]):
        host.ip("address", "add", host.addresses[1], "dev", "eth0")  # the kernel drops IPv6 addresses of what is down


def rename(host):
    host.ip("link", "set", "eth0", "down")
    host.ip("link", "set", "eth0", "name", "eth9")
    host.ip("link", "set", "eth9", "up")


def rename_back(host):
    host.ip("link", "set", "eth9", "down")
    host.ip("link", "set", "eth9", "name", "eth0")
    bring_up(host)


def delete(host):
    host.ip("link", "del", "eth0")


CHANGES = {"down": (take_down, bring_up), "rename": (rename, rename_back), "delete": (delete, plug_in)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", CHANGES)
def test_the_other_host_serves_until_the_interface_is_back(world, kind, change):
    pair = pair_of(world, kind)
    client = world.add("client")
    go, come = CHANGES[change]
    go(pair.lb1)
    wait_for(lambda: pair.instance(pair.lb1)["State"] == "fault", 2, "the fault")
    wait_for(lambda: pair.instance(pair.lb2)["State"] == "master" and ask(client, pair.vip), 3, "lb2 to serve")
    expected = "link_down" if change == "down" else "link_missing"
    assert pair.instance(pair.lb1)["StateReason"]["Code"] == expected
    come(pair.lb1)
    pair.wait_on("lb1", 4)
    wait_for(lambda: ask(client, pair.vip), 2, "an answer of lb1")


@pytest.mark.parametrize("kind", KINDS)
def test_every_order_of_changes_ends_as_a_fresh_start_would(world, kind):
    pair = pair_of(world, kind)
    for order in itertools.permutations(CHANGES):
        for change in order:
            go, come = CHANGES[change]
            go(pair.lb1)
            time.sleep(0.02)
            come(pair.lb1)
        pair.wait_on("lb1", 5)
    mine = pair.instance(pair.lb1)
    assert mine["State"] == "master" and mine["Faults"] == []
    wanted = {"lo", "eth0", "vrrp.51"} if kind == "virtual" else {"lo", "eth0"}
    assert set(links(pair.lb1)) == wanted
    assert ask(world.add("client"), pair.vip)


def test_a_cable_straight_to_a_host_that_died_is_no_fault_of_the_other(world):
    """keepalived's dont_track_primary: the heartbeat's link is dark because the peer is."""
    lb1, lb2 = hosts = [world.add(name) for name in ("lb1", "lb2")]
    run("ip", "link", "add", "eth1", "netns", lb1.namespace, "type", "veth", "peer", "name", "eth1", "netns", lb2.namespace)
    world.configure("instances:\n  web: {interface: eth1, vrid: 51, priority: {lb1: 200, lb2: 100}, advert_interval: 100ms, track_link: off,\n"
                    "        addresses: [{address: 10.77.0.100/24, interface: eth0}]}\n")
    for number, host in enumerate(hosts):
        host.ip("address", "add", f"10.78.0.{number + 1}/24", "dev", "eth1")
        host.ip("link", "set", "eth1", "up")
        host.start_bus()
        host.start_holdfastd()
    instance = lambda host: next(iter(host.status().get("Instances", [])), {})
    wait_for(lambda: lb1.has("10.77.0.100") and instance(lb2).get("State") == "backup", 5, "lb1 to serve, and lb2 to know")
    lb1.holdfastd.kill()
    lb1.ip("link", "set", "eth1", "down")
    lb1.ip("link", "set", "eth0", "down")
    wait_for(lambda: lb2.has("10.77.0.100"), 3, "lb2 to serve without a carrier")
    assert "NO-CARRIER" in lb2.ip("link", "show", "eth1")
    assert (instance(lb2)["State"], instance(lb2)["Faults"]) == ("master", [])
    lb2.ip("link", "set", "eth1", "down")
    lb2.ip("link", "set", "eth1", "up")
    assert instance(lb2)["State"] == "master", "set down by hand, too"
    lb2.ip("link", "del", "eth1")
    wait_for(lambda: instance(lb2)["State"] == "fault", 2, "an interface that is not there to be a fault still")
