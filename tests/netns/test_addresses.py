"""Addresses with options, on other links, and excluded ones, compared with what `ip` says."""

from __future__ import annotations

import json
import re
import signal
import time

import pytest
from conftest import Pair, yaml
from test_keepalived import keepalived
from world import now, wait_for


def entries(host, device: str = "eth0") -> dict[str, dict]:
    links = json.loads(host.ip("-j", "-d", "address", "show", "dev", device))
    return {entry["local"]: entry for link in links for entry in link.get("addr_info", []) if "local" in entry}


def link(host, name: str):
    host.ip("link", "add", name, "type", "veth", "peer", "name", f"{name}-end")
    host.ip("link", "set", f"{name}-end", "up")
    host.ip("link", "set", name, "up")


def options(vip: str, interval: str = "100ms", extra: str = "") -> str:
    return yaml("{address: 10.77.0.100/24, label: \"eth0:web\", broadcast: auto, preferred: 0s}, {address: 10.78.0.100/24, scope: site}, "
                "{address: 10.77.0.101/24, peer: 10.99.0.1}", interval, instance_extra=extra)


def test_the_kernel_has_every_option_and_a_renewal_keeps_them(world):
    pair = Pair(world, start=False)
    world.configure(options(pair.vip))
    pair.start()
    wait_for(lambda: pair.lb1.has("10.77.0.101"), 1, "the second address")

    def check():
        web = entries(pair.lb1)["10.77.0.100"]
        assert (web["label"], web["broadcast"]) == ("eth0:web", "10.77.0.255")
        assert entries(pair.lb1)["10.78.0.100"]["scope"] == "site"
        assert web["preferred_life_time"] == 0 and 0 < web["valid_life_time"] <= 4
        other = entries(pair.lb1)["10.77.0.101"]
        assert (other["address"], other["prefixlen"], other["label"]) == ("10.99.0.1", 24, "eth0")

    check()
    time.sleep(4)  # more than the lease
    check()
    assert pair.instance(pair.lb1)["Counters"]["addresses_restored"] == 0
    pair.lb1.ip("address", "del", "10.77.0.100/24", "dev", "eth0")
    wait_for(lambda: pair.lb1.has("10.77.0.100"), 1, "the address back")
    check()


def test_a_reload_changes_what_can_only_be_added_anew(world):
    pair = Pair(world)
    assert entries(pair.lb1)[pair.vip]["label"] == "eth0"
    world.configure(yaml("{address: 10.77.0.100/24, label: \"eth0:new\"}", instance_extra=""))
    pair.lb1.ctl("reload")
    wait_for(lambda: entries(pair.lb1).get(pair.vip, {}).get("label") == "eth0:new", 1, "the label")
    assert pair.instance(pair.lb1)["State"] == "master"
    assert pair.instance(pair.lb2)["Counters"]["became_master"] == 0


def test_an_address_with_a_label_and_a_peer_is_adopted_and_removed(world):
    pair = Pair(world, start=False)
    world.configure(options(pair.vip, "1s"))
    pair.seconds = 1
    pair.start()
    wait_for(lambda: pair.lb1.has("10.77.0.101"), 1, "the second address")
    pair.lb1.holdfastd.kill()
    pair.lb1.holdfastd.wait()  # as every supervisor does: what is dying still holds its lock
    pair.lb1.start_holdfastd()
    time.sleep(2)
    wait_for(lambda: "Instances" in pair.lb1.status(), 3, "the daemon on the bus")
    assert pair.instance(pair.lb1)["StateReason"]["Code"] == "adopted"
    assert pair.instance(pair.lb2)["Counters"]["became_master"] == 0
    pair.lb1.holdfastd.kill(signal.SIGTERM)
    pair.lb1.holdfastd.wait()
    assert not {"10.77.0.100", "10.77.0.101"} & entries(pair.lb1).keys()


def test_an_address_on_another_link_follows_and_its_fault_counts_unless_untracked(world):
    pair = Pair(world, start=False)
    for host in pair.hosts:
        link(host, "side")
    world.configure(yaml("10.77.0.100/24, {address: 10.88.0.1/24, interface: side}",
                         instance_extra="    excluded_addresses: [{address: 10.88.0.2/24, interface: late, track: off}]\n"))
    pair.start()
    wait_for(lambda: "10.88.0.1" in entries(pair.lb1, "side"), 2, "the address on the other link")
    link(pair.lb1, "late")
    wait_for(lambda: "10.88.0.2" in entries(pair.lb1, "late"), 2, "the address on the late link")
    pair.lb1.ip("link", "del", "late")
    time.sleep(0.5)
    assert pair.instance(pair.lb1)["State"] == "master"
    pair.lb1.ip("link", "set", "side", "down")
    pair.wait_on("lb2", 2)
    wait_for(lambda: pair.instance(pair.lb1)["State"] == "fault", 1, "the fault")
    assert pair.instance(pair.lb1)["Faults"][0]["Text"] == "side is down or has no carrier, where 10.88.0.1 belongs"
    pair.lb1.ip("link", "set", "side", "up")
    pair.wait_on("lb1", 3)


def test_a_duplicate_is_named_and_the_address_comes_when_it_goes(world):
    pair = Pair(world, start=False)
    other = world.add("other")
    for host in pair.hosts:
        host.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_dad")
    other.ip("address", "add", "fd77::100/64", "dev", "eth0", "nodad")
    world.configure(yaml("10.77.0.100/24", instance_extra="    excluded_addresses: [{address: \"fd77::100/64\", dad: on}]\n"))
    pair.start()
    wait_for(lambda: any(w["Code"] == "duplicate_address" for w in pair.instance(pair.lb1)["Warnings"]), 4, "the warning")
    assert "fd77::100" not in entries(pair.lb1) or entries(pair.lb1)["fd77::100"].get("tentative")
    other.ip("address", "del", "fd77::100/64", "dev", "eth0")
    wait_for(lambda: "fd77::100" in entries(pair.lb1) and not entries(pair.lb1)["fd77::100"].get("tentative"), 6, "the address")
    assert pair.instance(pair.lb1)["State"] == "master"


def test_link_local_addresses_come_first_in_the_advert(world):
    pair = Pair(world, "fd77::100", prefix="/64", start=False)
    world.configure(yaml("fd77::100/64, fe80::77:100/64"))
    pair.start()
    assert [a["Address"] for a in pair.instance(pair.lb1)["Addresses"]] == ["fe80::77:100/64", "fd77::100/64"]


# ---- excluded ---------------------------------------------------------------------------------------------------------------


def test_ten_thousand_excluded_addresses_come_and_go_and_no_advert_waits(world):
    count = 10_000
    many = [f"10.{100 + i // 65536}.{i // 256 % 256}.{i % 256}" for i in range(count)]
    extra = "    excluded_addresses:\n" + "".join(f"    - {address}\n" for address in many)
    pair = Pair(world)
    time.sleep(0.5)
    before = pair.instance(pair.lb2)["Counters"]["became_master"]
    world.configure(yaml("10.77.0.100/24", instance_extra=extra))
    for host in pair.hosts:
        host.ctl("reload")

    def assigned(host) -> int:
        return pair.instance(host)["ExcludedAddresses"]["Assigned"]

    wait_for(lambda: assigned(pair.lb1) == count, 20, "all of them", every=0.2)
    assert sum(address in entries(pair.lb1) for address in (many[0], many[5000], many[-1])) == 3
    # The standby's master-down is 0.36 s: had an advert waited for the addresses, it would have taken over.
    assert pair.instance(pair.lb2)["Counters"]["became_master"] == before
    lease = pair.instance(pair.lb1)["LeaseUSec"]
    assert lease >= 60_000_000  # stretched, so that renewing stays cheap

    pair.lb1.ip("address", "del", f"{many[7]}/32", "dev", "eth0")
    wait_for(lambda: pair.lb1.has(many[7]), 2, "a deleted one back")

    moment = now()
    pair.lb1.ctl("failover", "web")
    pair.wait_on("lb2", 3)
    wait_for(lambda: assigned(pair.lb2) == count and assigned(pair.lb1) == 0, 20, "all of them moved", every=0.2)
    print(f"moved after {now() - moment:.2f} s")
    assert pair.instance(pair.lb2)["Counters"]["left_master"] == 0
    assert not set(many) & entries(pair.lb1).keys()


def test_excluded_addresses_follow_keepalived_and_back(world):
    pair = Pair(world, interval="1s", priorities=(250, 250), start=False)
    world.configure(yaml("10.77.0.100/24", "1s", (250, 250),
                         instance_extra="    excluded_addresses: [10.77.0.110/24, \"fd77::110/64\"]\n"))
    lb1, lb2 = pair.hosts
    lb1.start_holdfastd()
    peer = keepalived(lb2, pair.vip, 3, 200, 1.0, "")
    text = (lb2.directory / "keepalived.conf").read_text()
    peer.end()
    peer = lb2.start_keepalived(
        text.replace("virtual_ipaddress {", "virtual_ipaddress_excluded {\n  10.77.0.110/24\n  fd77::110/64\n }\n virtual_ipaddress {"))
    all_of = {"10.77.0.100", "10.77.0.110", "fd77::110"}
    wait_for(lambda: all_of <= entries(lb1).keys(), 7, "all on lb1")
    lb1.holdfastd.kill(signal.SIGTERM)
    lb1.holdfastd.wait()
    wait_for(lambda: all_of <= entries(lb2).keys() and not all_of & entries(lb1).keys(), 7, "all on lb2")
    lb1.start_holdfastd()
    wait_for(lambda: all_of <= entries(lb1).keys() and not all_of & entries(lb2).keys(), 9, "all back on lb1")
    complaints = [line for line in lb2.log("keepalived").splitlines() if re.search("address count|mismatch|not match", line)]
    assert complaints == []
