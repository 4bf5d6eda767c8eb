"""BFD sessions over a real wire: two holdfasts, and Debian's keepalived as neighbor."""

from __future__ import annotations

import signal
import time

import pytest
from conftest import Pair
from world import wait_for

DETECTION = 0.3  # 3 x 100 ms
ADDRESSES = {4: ("10.77.0.1", "10.77.0.2"), 6: ("fd77::1", "fd77::2")}


def bfd(family: int = 4, extra: str = "") -> str:
    one, two = ADDRESSES[family]
    return (f"trackers:\n  path: {{bfd: {{neighbor: {{lb1: \"{two}\", lb2: \"{one}\"}}, "
            f"source: {{lb1: \"{one}\", lb2: \"{two}\"}}{extra}}}}}\n")


def make(world, text: str) -> Pair:
    return Pair(world, start=False, instance_extra="    track: [{tracker: path, weight: -1}]\n", extra=text)


def tracker(host) -> dict:
    trackers = host.status().get("Trackers", [])
    return trackers[0] if trackers else {}


def wait_status(host, status: str, seconds: float, text: str = "") -> dict:
    def ready():
        seen = tracker(host)
        return seen if seen.get("Status") == status and text in seen["Detail"] else None
    try:
        return wait_for(ready, seconds, f"{status} on {host.name}")
    except TimeoutError as error:
        raise TimeoutError(f"{error}: {tracker(host)}") from error


def start(pair: Pair):
    for host in pair.hosts:
        host.start_holdfastd()
    for host in pair.hosts:
        wait_status(host, "up", 5)


def deafen(host, family: int, port: int = 3784) -> float:
    """Packets still leave this host, none of BFD comes in."""
    host.run("nft", "add", "table", "inet", "cut")
    host.run("nft", "add", "chain", "inet", "cut", "in", "{ type filter hook input priority 0; }")
    host.run("nft", "add", "rule", "inet", "cut", "in", "udp", "dport", str(port), "drop")
    return time.time()


@pytest.mark.parametrize("family,extra,port", [(4, "", 3784), (6, "", 3784), (4, ", multihop: true", 4784),
                                               (4, ", passive: {lb1: true, lb2: false}", 3784)])
def test_a_cut_in_one_direction_is_noticed_on_both_sides_in_time(world, family, extra, port):
    pair = make(world, bfd(family, extra))
    start(pair)
    for host in pair.hosts:
        wait_status(host, "up", 2, "a silence of 300ms is noticed")
    moment = deafen(pair.lb2, family, port)
    deaf = wait_status(pair.lb2, "down", 2, "the neighbor fell silent")
    told = wait_status(pair.lb1, "down", 2, "the neighbor does not hear us any more")
    for seen in (deaf, told):
        assert -0.1 < seen["SinceUSec"] / 1e6 - moment < DETECTION + 0.05
    pair.lb2.run("nft", "delete", "table", "inet", "cut")
    for host in pair.hosts:
        wait_status(host, "up", 5)


def test_a_dead_neighbor_is_down_and_one_that_stops_is_unknown(world):
    pair = make(world, bfd())
    start(pair)
    moment = time.time()
    pair.lb2.holdfastd.kill()
    seen = wait_status(pair.lb1, "down", 2, "the neighbor fell silent")
    assert seen["SinceUSec"] / 1e6 - moment < DETECTION + 0.05
    pair.lb2.holdfastd.wait()
    pair.lb2.start_holdfastd()
    wait_status(pair.lb1, "up", 5)
    pair.lb2.holdfastd.kill(signal.SIGTERM)
    wait_status(pair.lb1, "unknown", 5, "administratively down")


def test_packets_that_came_through_a_router_do_not_count(world):
    pair = make(world, bfd(extra=", ttl: {lb1: 255, lb2: 254}"))
    for host in pair.hosts:
        host.start_holdfastd()
    seen = wait_status(pair.lb1, "down", 6)
    assert "came through a router" in seen["Detail"]
    pair.world.configure(pair.text.replace("ttl:", "max_hops: 1, ttl:"))
    for host in pair.hosts:
        host.holdfastd.kill(signal.SIGHUP)
    for host in pair.hosts:
        wait_status(host, "up", 5)


def test_a_neighbor_that_was_never_there_is_down_after_a_while(world):
    pair = make(world, bfd())
    pair.lb1.start_holdfastd()
    wait_status(pair.lb1, "pending", 2)
    assert tracker(pair.lb1)["Detail"] == ""
    wait_status(pair.lb1, "down", 5, "never heard")


@pytest.mark.parametrize("family", [4, 6])
def test_keepalived_is_a_neighbor(world, family):
    pair = make(world, bfd(family))
    one, two = ADDRESSES[family]
    configuration = pair.lb2.directory / "keepalived.conf"
    configuration.write_text(
        f"global_defs {{\n router_id lb2\n}}\nbfd_instance B {{\n neighbor_ip {one}\n source_ip {two}\n min_rx 100\n min_tx 100\n"
        " multiplier 3\n ttl 255\n}\n"
        "vrrp_instance V {\n state BACKUP\n interface eth0\n virtual_router_id 77\n priority 50\n advert_int 1\n"
        " virtual_ipaddress {\n 10.77.0.200/24\n }\n track_bfd {\n B\n }\n}\n")
    files = [argument for flag, name in (("-p", "ka"), ("-r", "vrrp"), ("-b", "bfd"))
             for argument in (flag, pair.lb2.directory / f"{name}.pid")]
    keepalived = pair.lb2.spawn("keepalived", "keepalived", "-n", "-l", "-D", "-f", configuration, *files)
    pair.lb1.start_holdfastd()
    try:
        wait_status(pair.lb1, "up", 8)
        wait_for(lambda: pair.lb2.has("10.77.0.200"), 8, "keepalived to be master: its session is up")
        time.sleep(1)
        moment = deafen(pair.lb1, family)
        seen = wait_status(pair.lb1, "down", 2, "the neighbor fell silent")
        assert seen["SinceUSec"] / 1e6 - moment < DETECTION + 0.05
        wait_for(lambda: not pair.lb2.has("10.77.0.200"), 3, "keepalived to see it too: we told it")
        pair.lb1.run("nft", "delete", "table", "inet", "cut")
        wait_status(pair.lb1, "up", 5)
        keepalived.kill(signal.SIGTERM)
        wait_for(lambda: tracker(pair.lb1).get("Status") in ("unknown", "down"), 3, "its end to be noticed")
    finally:
        print(pair.lb2.log("keepalived"))
