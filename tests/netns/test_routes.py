"""Virtual and static routes and rules, compared with what `ip` says."""

from __future__ import annotations

import json
import re
import signal
import time

import pytest
from conftest import Pair, yaml
from world import wait_for

ROUTES = """    routes:
      - {to: 10.50.0.0/16, via: 10.77.0.254, source: 10.77.0.100, metric: 5, mtu: 1400, mtu_lock: on, initcwnd: 20}
      - {to: default, via: 10.77.0.254, table: 100}
      - {to: 10.51.0.0/16, type: blackhole}
      - {to: "2001:db8:5::/48", via: "fd77::fe", interface: eth0, preference: high}
      - {to: 10.52.0.0/16, nexthops: [{via: 10.77.0.253, weight: 2}, {via: 10.77.0.252}]}
    rules:
      - {priority: 1000, from: 10.77.0.100/32, table: 100}
      - {priority: 1001, family: ipv6, fwmark: 0x10/0xff, ipproto: tcp, dport: 80-90, type: prohibit}
"""


def routes(host, table: str = "all") -> dict[str, dict]:
    found = {}
    for family in ("-4", "-6"):
        for route in json.loads(host.ip(family, "-j", "-d", "route", "show", "table", table, "proto", "112") or "[]"):
            found[route["dst"] + (" table " + route["table"] if route.get("table", "main") != "main" else "")] = route
    return found


def rules(host) -> set[int]:
    found = []
    for family in ("-4", "-6"):
        found += [rule for rule in json.loads(host.ip(family, "-j", "-d", "rule", "show")) if str(rule.get("protocol")) == "112"]
    return {rule["priority"] for rule in found}


ALL = {"10.50.0.0/16", "default table 100", "10.51.0.0/16", "2001:db8:5::/48", "10.52.0.0/16"}


def has_all(host) -> bool:
    return routes(host).keys() == ALL and rules(host) == {1000, 1001}


def has_none(host) -> bool:
    return not routes(host) and not rules(host)


def what_is_left(host) -> str:
    return f"{routes(host)} {rules(host)}\n{host.log('holdfastd')}"


def test_routes_and_rules_follow_the_addresses(world):
    pair = Pair(world, instance_extra=ROUTES)
    wait_for(lambda: has_all(pair.lb1), 2, "the routes on lb1")
    assert has_none(pair.lb2), what_is_left(pair.lb2)
    plain = routes(pair.lb1)["10.50.0.0/16"]
    assert (plain["gateway"], plain["prefsrc"], plain["metric"]) == ("10.77.0.254", "10.77.0.100", 5)
    assert any("1400" in str(metric) for metric in plain["metrics"])
    assert len(routes(pair.lb1)["10.52.0.0/16"]["nexthops"]) == 2
    shown = pair.instance(pair.lb1)
    assert all(route["Installed"] for route in shown["Routes"] + shown["Rules"])
    assert shown["Routes"][0]["Text"] == "10.50.0.0/16 via 10.77.0.254 src 10.77.0.100 metric 5"
    pair.lb1.ctl("failover", "web")
    pair.wait_on("lb2", 3)
    wait_for(lambda: has_all(pair.lb2) and has_none(pair.lb1), 2, "the routes on lb2 alone")
    pair.lb2.holdfastd.kill(signal.SIGTERM)
    pair.lb2.holdfastd.wait()
    assert has_none(pair.lb2), what_is_left(pair.lb2)


def test_what_somebody_deletes_is_back_at_once_and_what_is_not_ours_stays(world):
    pair = Pair(world, instance_extra=ROUTES)
    pair.lb1.ip("route", "add", "10.60.0.0/16", "via", "10.77.0.254")
    wait_for(lambda: has_all(pair.lb1), 2, "the routes")
    pair.lb1.ip("route", "del", "10.50.0.0/16")
    pair.lb1.ip("rule", "del", "priority", "1000")
    wait_for(lambda: has_all(pair.lb1), 1, "both back")
    pair.lb1.ip("route", "replace", "10.50.0.0/16", "metric", "5", "dev", "eth0")
    time.sleep(0.5)
    assert routes(pair.lb1).keys() == ALL - {"10.50.0.0/16"}  # of somebody else now: left alone and named
    wait_for(lambda: any(w["Code"] == "route_refused" for w in pair.instance(pair.lb1)["Warnings"]), 2, "the warning")
    assert pair.instance(pair.lb1)["State"] == "master"
    assert "10.60.0.0/16" in pair.lb1.ip("route", "show")
    assert "somebody deleted route 10.50.0.0/16" in pair.lb1.log("holdfastd")
    assert pair.instance(pair.lb1)["Counters"]["routes_restored"] == 2


def test_killed_and_restarted_the_daemon_adopts_its_routes_and_cleans_up_those_that_nobody_wants(world):
    pair = Pair(world, interval="1s", instance_extra=ROUTES)
    wait_for(lambda: has_all(pair.lb1), 3, "the routes")
    pair.lb1.holdfastd.kill()
    pair.lb1.holdfastd.wait()
    assert has_all(pair.lb1)
    pair.lb1.start_holdfastd()
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        assert has_all(pair.lb1)
        time.sleep(0.05)
    wait_for(lambda: "Instances" in pair.lb1.status(), 3, "the daemon on the bus")
    assert pair.instance(pair.lb1)["StateReason"]["Code"] == "adopted"
    # Now the file wants one route less, and the daemon comes back too late to adopt.
    pair.lb1.holdfastd.kill()
    pair.wait_on("lb2", 8)
    world.configure(yaml(pair.vip + "/24", "1s"))
    pair.lb1.start_holdfastd()
    wait_for(lambda: has_none(pair.lb1), 2, "the left-overs to go")


def test_a_link_that_goes_down_takes_the_routes_along_and_brings_them_back(world):
    pair = Pair(world, instance_extra=ROUTES)
    wait_for(lambda: has_all(pair.lb1), 2, "the routes")
    pair.lb1.ip("link", "set", "eth0", "down")
    pair.wait_on("lb2", 3)
    pair.lb1.ip("link", "set", "eth0", "up")
    pair.lb1.ip("address", "replace", "fd77::1/64", "dev", "eth0", "nodad")
    pair.wait_on("lb1", 6)
    wait_for(lambda: has_all(pair.lb1), 3, "the routes again")


def test_a_route_that_the_kernel_refuses_is_a_fault_unless_untracked(world):
    pair = Pair(world, instance_extra="    routes: [{to: 10.50.0.0/16, via: 10.250.0.1, track: off}]\n")
    wait_for(lambda: any(w["Code"] == "route_refused" for w in pair.instance(pair.lb1)["Warnings"]), 4, "the warning")
    assert pair.instance(pair.lb1)["State"] == "master"
    assert "Network is unreachable: no route of this host leads to its gateway" in pair.instance(pair.lb1)["Routes"][0]["Refused"]
    world.configure(yaml(pair.vip + "/24", instance_extra="    routes: [{to: 10.50.0.0/16, via: 10.250.0.1}]\n"))
    pair.lb1.ctl("reload")
    wait_for(lambda: pair.instance(pair.lb1)["State"] == "fault", 4, "the fault")
    pair.wait_on("lb2", 3)


def test_a_reload_changes_routes_in_place(world):
    pair = Pair(world, instance_extra="    routes: [{to: 10.50.0.0/16, via: 10.77.0.254}, {to: 10.51.0.0/16, via: 10.77.0.254}]\n")
    wait_for(lambda: routes(pair.lb1).keys() == {"10.50.0.0/16", "10.51.0.0/16"}, 2, "the routes")
    world.configure(yaml(pair.vip + "/24", instance_extra="    routes: [{to: 10.50.0.0/16, via: 10.77.0.253}]\n"))
    pair.lb1.ctl("reload")
    wait_for(lambda: routes(pair.lb1).keys() == {"10.50.0.0/16"} and routes(pair.lb1)["10.50.0.0/16"]["gateway"] == "10.77.0.253",
             1, "the new gateway")
    assert pair.instance(pair.lb1)["State"] == "master"


def test_static_routes_and_rules_are_there_while_the_daemon_runs(world):
    static = ("static_routes: [{to: 10.55.0.0/16, interface: eth0}, {to: \"2001:db8:9::/48\", type: unreachable}]\n"
              "static_rules: [{priority: 2000, family: ipv4, table: 100}]\n")
    pair = Pair(world, start=False, extra=static)
    pair.start()
    for host in pair.hosts:  # master or not
        wait_for(lambda: routes(host).keys() == {"10.55.0.0/16", "2001:db8:9::/48"} and rules(host) == {2000}, 2, "static ones")
    extras = lambda status: status.get("StaticRoutes", []) + status.get("StaticRules", [])
    assert [each["Installed"] for each in extras(pair.lb2.status())] == [True] * 3
    assert "unreachable 2001:db8:9::/48" in (shown := pair.lb2.ctl("status")) and shown.count(": installed") == 3, shown
    pair.lb2.ip("route", "del", "10.55.0.0/16")
    wait_for(lambda: "10.55.0.0/16" in routes(pair.lb2), 1, "the route back")
    pair.lb2.holdfastd.kill()
    pair.lb2.holdfastd.wait()
    assert rules(pair.lb2) == {2000}
    pair.lb2.start_holdfastd()
    wait_for(lambda: [each["Installed"] for each in extras(pair.lb2.status())] == [True] * 3, 2, "the next one to know of them")
    assert routes(pair.lb2).keys() == {"10.55.0.0/16", "2001:db8:9::/48"} and rules(pair.lb2) == {2000}
    pair.lb2.holdfastd.kill(signal.SIGTERM)
    assert pair.lb2.holdfastd.wait() == 0
    assert has_none(pair.lb2), what_is_left(pair.lb2)


def way(host, to: str = "10.50.0.1") -> str:
    return json.loads(host.ip("-j", "route", "get", to))[0]["gateway"]


@pytest.mark.parametrize("place,ours,theirs", [("first", "10.77.0.254", "10.77.0.253"), ("last", "10.77.0.253", "10.77.0.254")])
def test_a_route_stands_in_front_of_one_of_others_or_behind_it(world, place, ours, theirs):
    extra = lambda via: f"    routes: [{{to: 10.50.0.0/16, via: {via}, place: {place}}}]\n"
    pair = Pair(world, start=False, instance_extra=extra("10.77.0.254"))
    pair.lb1.ip("route", "add", "10.50.0.0/16", "via", "10.77.0.253")
    pair.start()
    wait_for(lambda: "10.50.0.0/16" in routes(pair.lb1), 2, "the route beside the other")
    assert way(pair.lb1) == ours
    world.configure(yaml(pair.vip + "/24", instance_extra=extra("10.77.0.252")))  # a change must not hit theirs
    pair.lb1.ctl("reload")
    wait_for(lambda: routes(pair.lb1).get("10.50.0.0/16", {}).get("gateway") == "10.77.0.252", 2, "the new gateway")
    assert len(pair.lb1.ip("route", "show", "10.50.0.0/16").splitlines()) == 2
    assert way(pair.lb1) == ("10.77.0.252" if place == "first" else "10.77.0.253")
    pair.lb1.ctl("failover", "web")
    pair.wait_on("lb2", 3)
    wait_for(lambda: has_none(pair.lb1) and way(pair.lb1) == "10.77.0.253", 2, "theirs alone")


@pytest.mark.kernel()
def test_each_next_hop_has_a_realm(world):
    pair = Pair(world, instance_extra="    routes: [{to: 10.50.0.0/16, nexthops: [{via: 10.77.0.253, realm: 3/5}, "
                                      "{via: 10.77.0.252, realm: 7}]}, {to: 10.51.0.0/16, via: 10.77.0.252, realm: 9}]\n")
    wait_for(lambda: routes(pair.lb1).keys() == {"10.50.0.0/16", "10.51.0.0/16"}, 2, "the routes")
    shown = pair.lb1.ip("route", "show", "10.50.0.0/16")
    assert re.search(r"via 10.77.0.253 .*realms? 3/5|realms? 3/5.*via 10.77.0.253", shown), shown
    assert re.search(r"realms? 7", shown), shown
    assert re.search(r"realms? 9", pair.lb1.ip("route", "show", "10.51.0.0/16"))


@pytest.mark.kernel("ila")
def test_a_route_gives_the_destination_another_locator(world):
    pair = Pair(world, instance_extra="    routes: [{to: \"2001:db8:0:1:2000::1/128\", via: \"fd77::fe\", interface: eth0, "
                                      "encap: {type: ila, locator: \"2001:db8:0:2\", checksum: adj-transport}}]\n")
    wait_for(lambda: routes(pair.lb1), 3, "the route")
    shown = " ".join(pair.lb1.ip("-6", "route", "show", "proto", "112").split())
    assert "encap ila 2001:db8:0:2 csum-mode adj-transport" in shown
    pair.lb1.ctl("failover", "web")
    pair.wait_on("lb2", 3)
    wait_for(lambda: routes(pair.lb2) and has_none(pair.lb1), 2, "the route on lb2 alone")


def test_a_sync_group_is_in_fault_while_a_static_route_cannot_be_there(world):
    pair = Pair(world, start=False, extra="sync_groups: {edge: {instances: [web]}}\n"
                "static_routes: [{to: 10.55.0.0/16, interface: eth1, track_group: edge}]\n"
                "static_rules: [{priority: 2000, family: ipv4, table: 100, track_group: edge}]\n")
    world.add_bridge("br1")
    for i, host in enumerate(pair.hosts):
        host.add_link("eth1", "br1", f"10.78.0.{i + 1}/24")
    pair.start()
    pair.lb1.ip("route", "del", "10.55.0.0/16")
    wait_for(lambda: "10.55.0.0/16" in routes(pair.lb1), 1, "the route back")
    assert pair.holders() == ["lb1"] and pair.instance(pair.lb1)["Counters"]["left_master"] == 0
    pair.lb1.ip("link", "set", "eth1", "down")
    pair.wait_on("lb2", 3)
    mine = pair.instance(pair.lb1)
    assert (mine["State"], mine["StateReason"]["Code"]) == ("fault", "static_route")
    assert "route 10.55.0.0/16, which sync group edge tracks, can't be there" in mine["StateReason"]["Text"]
    pair.lb1.ip("link", "set", "eth1", "up")
    pair.wait_on("lb1", 4)
    pair.lb1.ip("route", "replace", "10.55.0.0/16", "via", "10.77.0.254")  # of somebody else, who is in its way
    pair.wait_on("lb2", 8)
    assert "one of others is in its place" in pair.instance(pair.lb1)["StateReason"]["Text"]
    pair.lb1.ip("route", "del", "10.55.0.0/16", "via", "10.77.0.254")
    pair.wait_on("lb1", 10)
    assert "10.55.0.0/16" in routes(pair.lb1)


def test_a_tracker_follows_a_route_of_others(world):
    pair = Pair(world, start=False, extra="trackers:\n  path: {route: 0.0.0.0/0, via: 10.77.0.254}\n",
                instance_extra="    track: [path]\n")
    for host in pair.hosts:
        host.ip("route", "add", "default", "via", "10.77.0.254")
    pair.start()
    pair.lb1.ip("route", "replace", "default", "via", "10.77.0.253")  # replaces it without a word about the old one
    pair.wait_on("lb2", 3)
    assert pair.instance(pair.lb1)["State"] == "fault"
    pair.lb1.ip("route", "replace", "default", "via", "10.77.0.254")
    pair.wait_on("lb1", 3)
    pair.lb1.ip("route", "del", "default")
    pair.wait_on("lb2", 3)
