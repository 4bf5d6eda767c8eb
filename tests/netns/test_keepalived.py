"""holdfast and Debian's keepalived on one wire, in both roles: election, failover, fail-back; and not one complaint."""

from __future__ import annotations

import re
import signal
import time

import pytest
from client import Client
from conftest import Pair, promised, yaml
from world import wait_for

WIRES = {
    "v3-ipv4": ("10.77.0.100", 3, ""),
    "v3-ipv6": ("fd77::100", 3, ""),
    "v2-ipv4": ("10.77.0.100", 2, ""),
    "v2-pass": ("10.77.0.100", 2, "    authentication: {type: pass, password: s3cret}\n"),
    "v2-ah": ("10.77.0.100", 2, "    authentication: {type: ah, password: s3cret}\n"),
    "v2-ah-unicast": ("10.77.0.100", 2, "    authentication: {type: ah, password: s3cret}\n"
                                        "    unicast: {peers: [10.77.0.1, 10.77.0.2]}\n"),
}


def keepalived(host, vip: str, version: int, priority: int, interval: float, ours: str):
    addresses = f"fe80::77:100\n  {vip}/64" if ":" in vip else f"{vip}/24"
    kind = next((word.upper() for word in ("pass", "ah") if f"type: {word}" in ours), None)
    authentication = f"authentication {{\n auth_type {kind}\n auth_pass s3cret\n }}\n" if kind else ""
    unicast = "unicast_src_ip 10.77.0.2\n unicast_peer {\n  10.77.0.1\n }\n" if "unicast" in ours else ""
    return host.start_keepalived(
        f"global_defs {{\n router_id {host.name}\n vrrp_version {version}\n script_user root\n}}\n"
        f"vrrp_instance V {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority {priority}\n"
        f" advert_int {interval:g}\n {authentication} {unicast} virtual_ipaddress {{\n  {addresses}\n }}\n}}\n")


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("better", ["holdfast", "keepalived"])
def test_election_failover_and_fail_back(world, wire, better):
    vip, version, authentication = WIRES[wire]
    interval = 1.0 if version == 2 else 0.1
    ours, theirs = (250, 200) if better == "holdfast" else (200, 250)
    prefix = "/64" if ":" in vip else "/24"
    pair = Pair(world, vip, interval="1s" if version == 2 else "100ms", priorities=(ours, ours), prefix=prefix, start=False,
                instance_extra=f"    version: {version}\n{authentication}")
    if ":" in vip:  # keepalived wants a link-local address first; the lists on the wire must be equal
        world.configure(yaml("fe80::77:100, fd77::100/64", "100ms", (ours, ours), instance_extra=f"    version: {version}\n"))
    lb1, lb2 = pair.hosts
    lb1.start_holdfastd()
    peer = keepalived(lb2, vip, version, theirs, interval, authentication)
    patience = 4 * interval + 3

    first, second = ("lb1", "lb2") if better == "holdfast" else ("lb2", "lb1")
    pair.wait_on(first, patience)
    # failover: the master stops, gracefully
    stop = {"lb1": lb1.holdfastd, "lb2": peer}[first]
    stop.kill(signal.SIGTERM)
    stop.wait()
    pair.wait_on(second, patience)
    # fail-back: it returns and preempts
    if first == "lb1":
        lb1.start_holdfastd()
    else:
        peer = keepalived(lb2, vip, version, theirs, interval, authentication)
    pair.wait_on(first, patience)
    time.sleep(3 * interval)
    assert lb2.complaints() == []
    assert not [line for line in lb1.log("holdfastd").splitlines() if "dropped a VRRP packet" in line]


@pytest.mark.parametrize("interval", ["1s", "100ms"])
def test_a_planned_stop_with_keepalived_as_successor_has_no_outage(world, interval):
    pair = Pair(world, interval=interval, priorities=(250, 250), start=False)
    for host in pair.hosts:
        host.start_nginx()
    pair.lb1.start_holdfastd()
    keepalived(pair.lb2, pair.vip, 3, 200, pair.seconds, "")
    pair.wait_on("lb1", 8)
    client = Client(world.add("client"), pair.vip)
    wait_for(lambda: client.last_host == "lb1", 2, "an answer of lb1")
    time.sleep(0.2)
    moment = pair.lb1.holdfastd.kill(signal.SIGTERM)
    pair.wait_on("lb2", 4)
    client.settle()
    promised(client, moment, 2)  # a connection half-way when the client's ARP cache moves
