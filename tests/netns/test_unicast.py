"""Unicast on a real wire: two holdfasts, and keepalived as peer; no multicast leaves, and strangers are not heard."""

from __future__ import annotations

import signal
import time

import pytest
from conftest import Pair, send_advert
from world import wait_for

PEERS = {4: "10.77.0.1, 10.77.0.2", 6: "fd77::1, fd77::2"}
VIPS = {4: ("10.77.0.100", "/24"), 6: ("fd77::100", "/64")}


def pair_of(world, family: int, priorities=(250, 200), **more):
    vip, prefix = VIPS[family]
    return Pair(world, vip, prefix=prefix, priorities=priorities,
                instance_extra=f"    unicast: {{peers: [{PEERS[family]}]}}\n", **more)


@pytest.mark.parametrize("family", [4, 6])
def test_two_holdfasts_elect_and_move(world, family):
    pair = pair_of(world, family)
    pair.lb1.ctl("failover", "web")
    pair.wait_on("lb2", 3)
    pair.lb2.holdfastd.kill(signal.SIGKILL)
    wait_for(lambda: pair.lb1.has(pair.vip), 3, "the address on lb1")


def test_an_advert_of_a_stranger_is_named_and_changes_nothing(world):
    pair = pair_of(world, 4)
    stranger = world.add("stranger")
    send_advert(stranger, "10.77.0.1")
    wait_for(lambda: "not among the peers" in pair.lb1.log("holdfastd"), 2, "the log line")
    assert pair.holders() == ["lb1"]
    wait_for(lambda: pair.instance(pair.lb1)["Counters"]["rejected_peer"] == 1, 3, "the counter")


def keepalived(host, family: int, priority: int):
    vip, prefix = VIPS[family]
    peer, own = [address.strip() for address in PEERS[family].split(",")]
    addresses = f"fe80::77:100\n  {vip}{prefix}" if family == 6 else f"{vip}{prefix}"
    return host.start_keepalived(
        f"global_defs {{\n router_id {host.name}\n vrrp_version 3\n}}\nvrrp_instance V {{\n state BACKUP\n interface eth0\n"
        f" virtual_router_id 51\n priority {priority}\n advert_int 0.1\n unicast_src_ip {own}\n unicast_ttl 255\n"
        f" unicast_peer {{\n  {peer}\n }}\n virtual_ipaddress {{\n  {addresses}\n }}\n}}\n")


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("better", ["holdfast", "keepalived"])
def test_keepalived_as_peer(world, family, better):
    ours, theirs = (250, 200) if better == "holdfast" else (200, 250)
    pair = pair_of(world, family, (ours, ours), start=False)
    if family == 6:  # keepalived wants a link-local address first; the lists on the wire must be equal
        world.configure(pair.text.replace("[fd77::100/64]", "[fe80::77:100, fd77::100/64]"))
    pair.lb1.start_holdfastd()
    peer = keepalived(pair.lb2, family, theirs)
    first, second = ("lb1", "lb2") if better == "holdfast" else ("lb2", "lb1")
    pair.wait_on(first, 8)
    stop = pair.lb1.holdfastd if first == "lb1" else peer
    stop.kill(signal.SIGTERM)
    stop.wait()
    pair.wait_on(second, 8)
    if first == "lb1":
        pair.lb1.start_holdfastd()
    else:
        keepalived(pair.lb2, family, theirs)
    pair.wait_on(first, 8)
    time.sleep(0.3)
    assert pair.lb2.complaints() == []
    assert "dropped a VRRP packet" not in pair.lb1.log("holdfastd")
