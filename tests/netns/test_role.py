"""The real server's role: a host that a virtual server names (`host:`) has its addresses on `lo`, and says so to nobody."""

from __future__ import annotations

import json
import signal

import pytest
from world import wait_for

VIP, VIP6 = "10.77.0.100", "fd77::100"
SILENT = {"arp_ignore": "1", "arp_announce": "2", "arp_filter": "0"}
BEFORE = {"arp_ignore": "0", "arp_announce": "1", "arp_filter": "0"}  # not the kernel's own: it has to come back

SERVER = """  {name}:
    address: "{address}"
    protocol: tcp
    forwarding: {forwarding}
    directors: [lb1]
    real_servers: {{s1: {{address: "{real}", host: s1}}}}
"""


def settings(host) -> dict[str, str]:
    return {name: host.run("cat", f"/proc/sys/net/ipv4/conf/eth0/{name}").strip() for name in BEFORE}


def put_settings(host, values: dict[str, str]):
    host.run("sysctl", "-qw", *(f"net.ipv4.conf.eth0.{name}={value}" for name, value in values.items()))


def on_lo(host) -> set[str]:
    links = json.loads(host.ip("-j", "address", "show", "dev", "lo"))
    return {f"{entry['local']}/{entry['prefixlen']}" for link in links for entry in link["addr_info"]} - {"127.0.0.1/8", "::1/128"}


def answers(client, address: str, version: str = "-4") -> bool:
    """Somebody says where the address is."""
    client.ip(version, "neigh", "flush", "to", address)
    client.run("ping", version, "-c", "1", "-W", "1", address, check=False)
    return "lladdr" in client.ip(version, "neigh", "show", "to", address)


def mac(host) -> str:
    return json.loads(host.ip("-j", "link", "show", "eth0"))[0]["address"]


class RealServer:
    """A host that is nothing but a real server, and a client, which plays the director too: it has the frames sent there."""

    def __init__(self, world, more: str = "", address: str = f"{VIP}:80", real: str = "", forwarding: str = "dr"):
        self.world, self.host, self.client = world, world.add("s1"), world.add("client")
        put_settings(self.host, BEFORE)
        self.real = real or self.host.addresses[0].split("/")[0]
        self.none = f"instances: {{}}\n{more}"
        self.text = f"{self.none}virtual_servers:\n" + SERVER.format(name="web", address=address, real=self.real, forwarding=forwarding)
        world.configure(self.text)
        self.host.start_bus()

    def start(self, there: set[str]):
        self.host.start_holdfastd()
        wait_for(self.host.status, 5, "the daemon to answer", every=0.01)
        wait_for(lambda: on_lo(self.host) == there, 5, f"{there} on lo", every=0.01)

    def reload(self, text: str):
        self.world.configure(text)
        self.host.holdfastd.kill(signal.SIGHUP)

    def ask(self, address: str) -> str:
        self.client.ip("neigh", "replace", address, "lladdr", mac(self.host), "dev", "eth0")
        return self.client.run("/usr/bin/python3", "-c", f"""
import socket
s = socket.create_connection(("{address}", 80), 2)
s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print(s.makefile("rb").read().split()[-1].decode())""").strip()


def test_a_real_server_takes_what_a_director_sends_and_is_silent_about_it(world):
    lab = RealServer(world)
    lab.host.start_nginx()
    lab.host.ip("address", "add", f"{VIP}/32", "dev", "lo")
    assert answers(lab.client, VIP), "what the kernel does with an address on lo, left alone"
    lab.host.ip("address", "del", f"{VIP}/32", "dev", "lo")
    lab.start({f"{VIP}/32"})
    assert settings(lab.host) == SILENT
    assert not answers(lab.client, VIP)
    assert lab.ask(VIP) == "s1"
    wait_for(lambda: lab.host.has("10.77.0.1"), 1, "its own address")
    assert "ip_vs" not in lab.host.log("holdfastd"), "it is no director"


def test_the_link_is_silent_before_the_address_comes(world):
    """A thousand times asked from the start on, the host never answers."""
    lab = RealServer(world)
    lab.host.run("nft", "add", "table", "arp", "seen")
    lab.host.run("nft", "add", "chain", "arp", "seen", "out", "{ type filter hook output priority 0; }")
    lab.host.run("nft", "add", "rule", "arp", "seen", "out", "arp", "operation", "reply", "arp", "saddr", "ip", VIP, "counter")
    asker = lab.client.spawn("asker", "sh", "-c", f"while :; do ip -4 neigh flush to {VIP}; ping -c 1 -W 0.01 -q {VIP} >/dev/null; done")
    lab.start({f"{VIP}/32"})
    lab.reload(lab.none)
    wait_for(lambda: on_lo(lab.host) == set(), 5, "lo to be empty")
    asker.end()
    assert "packets 0 " in lab.host.run("nft", "list", "table", "arp", "seen")


def test_the_role_ends_with_the_file_that_names_it_and_the_host_is_as_it_was(world):
    lab = RealServer(world)
    lab.start({f"{VIP}/32"})
    lab.reload(lab.none)
    wait_for(lambda: on_lo(lab.host) == set() and settings(lab.host) == BEFORE, 5, "all as it was")


def test_a_stop_keeps_the_role_because_the_other_director_goes_on(world):
    lab = RealServer(world)
    lab.host.start_nginx()
    lab.start({f"{VIP}/32"})
    lab.host.holdfastd.kill(signal.SIGTERM)
    assert lab.host.holdfastd.wait() == 0
    assert on_lo(lab.host) == {f"{VIP}/32"} and settings(lab.host) == SILENT
    assert lab.ask(VIP) == "s1"
    # The next start knows what is its own, and how the link was before.
    lab.start({f"{VIP}/32"})
    lab.reload(lab.none)
    wait_for(lambda: on_lo(lab.host) == set() and settings(lab.host) == BEFORE, 5, "all as it was")


def test_a_stop_ends_the_role_where_the_file_says_so(world):
    lab = RealServer(world, "ipvs: {role_at_stop: end}\n")
    lab.start({f"{VIP}/32"})
    lab.host.holdfastd.kill(signal.SIGTERM)
    assert lab.host.holdfastd.wait() == 0
    assert on_lo(lab.host) == set() and settings(lab.host) == BEFORE


@pytest.mark.parametrize("again", ["with the role", "without it"])
def test_what_the_link_was_before_outlives_a_kill(world, again):
    lab = RealServer(world)
    lab.start({f"{VIP}/32"})
    lab.host.holdfastd.kill()
    lab.host.holdfastd.wait()
    assert on_lo(lab.host) == {f"{VIP}/32"}, "it serves on"
    if again == "without it":
        world.configure(lab.none)
        lab.start(set())
    else:
        lab.start({f"{VIP}/32"})
        lab.reload(lab.none)
    wait_for(lambda: on_lo(lab.host) == set() and settings(lab.host) == BEFORE, 5, "all as it was")


def test_address_and_settings_are_put_back(world):
    lab = RealServer(world)
    lab.start({f"{VIP}/32"})
    lab.host.ip("address", "del", f"{VIP}/32", "dev", "lo")
    wait_for(lambda: on_lo(lab.host) == {f"{VIP}/32"}, 2, "the address again", every=0.01)
    assert f"somebody deleted {VIP}/32 from lo: put back" in lab.host.log("holdfastd")
    put_settings(lab.host, BEFORE)
    wait_for(lambda: settings(lab.host) == SILENT, 15, "the settings again", every=0.1)


def test_a_range_and_both_families(world):
    lab = RealServer(world, address="10.77.0.100-10.77.0.102:80")
    world.configure(lab.text + SERVER.format(name="six", address=f"[{VIP6}]:80", real="fd77::1", forwarding="tunnel"))
    lab.host.start_nginx()
    lab.start({"10.77.0.100/32", "10.77.0.101/32", "10.77.0.102/32", f"{VIP6}/128"})
    assert not answers(lab.client, VIP6, "-6"), "neighbor solicitations are for addresses of the link"
    assert answers(lab.client, "fd77::1", "-6")
    assert lab.ask("10.77.0.102") == "s1" and lab.ask(VIP6) == "s1"


def test_a_nat_server_and_another_host_have_no_role(world):
    lab = RealServer(world, forwarding="nat")
    world.configure(lab.text + SERVER.format(name="other", address="10.77.0.101:80", real="10.77.0.7", forwarding="dr").replace("host: s1", "host: s2"))
    lab.start(set())
    assert settings(lab.host) == BEFORE


def test_a_host_that_can_not_be_made_silent_does_not_take_the_address(world):
    """The settings are somebody's own already: they stay, and count."""
    lab = RealServer(world)
    stricter = {"arp_ignore": "2", "arp_announce": "2", "arp_filter": "0"}
    put_settings(lab.host, stricter)
    lab.start({f"{VIP}/32"})
    assert settings(lab.host) == stricter
    lab.reload(lab.none)
    wait_for(lambda: on_lo(lab.host) == set(), 5, "lo to be empty")
    assert settings(lab.host) == stricter


def test_static_addresses_come_go_and_are_put_back(world):
    host = world.add("lb1")
    host.start_bus()
    world.configure("instances: {}\nstatic_addresses:\n- {address: 10.77.0.50/24, interface: eth0}\n- {address: 10.9.9.9, interface: lo, scope: host}\n"
                    "- {address: fd77::50/64, interface: eth0}\n")
    host.start_holdfastd()
    wait_for(lambda: host.has("10.77.0.50") and host.has("fd77::50") and on_lo(host) == {"10.9.9.9/32"}, 5, "three addresses")
    shown = lambda: [(each["Address"], each["Link"], each["State"]) for each in host.status()["StaticAddresses"]]
    wait_for(lambda: shown() == [("10.77.0.50/24", "eth0", "assigned"), ("10.9.9.9/32", "lo", "assigned"), ("fd77::50/64", "eth0", "assigned")],
             2, "all of them in the status")
    assert "10.9.9.9/32 dev lo: assigned" in host.ctl("status")
    host.ip("address", "del", "10.77.0.50/24", "dev", "eth0")
    wait_for(lambda: host.has("10.77.0.50"), 2, "the address again", every=0.01)
    host.holdfastd.kill(signal.SIGTERM)
    assert host.holdfastd.wait() == 0
    assert not host.has("10.77.0.50") and not host.has("fd77::50") and on_lo(host) == set()


def test_a_static_address_without_its_link_is_a_fault_of_the_group_that_tracks_it(world):
    host = world.add("lb1")
    host.start_bus()
    world.configure("instances: {web: {interface: eth0, vrid: 51, advert_interval: 100ms, addresses: [10.77.0.100/24]}}\n"
                    "sync_groups: {edge: {instances: [web]}}\n"
                    "static_addresses: [{address: 10.8.8.8/24, interface: inner, track_group: edge}]\n")
    host.start_holdfastd()
    wait_for(lambda: "address 10.8.8.8/24 on inner, which sync group edge tracks" in host.ctl("status", check=False), 5, "the fault")
    assert [each["State"] for each in host.status()["StaticAddresses"]] == ["absent"]
    host.ip("link", "add", "inner", "type", "bridge")
    host.ip("link", "set", "inner", "up")
    wait_for(lambda: host.has("10.8.8.8", "inner") and host.has("10.77.0.100"), 5, "the address, and the group's")
    property = ("get-property", "org.holdfast1", "/org/holdfast1", "org.holdfast1.Manager", "StaticAddresses")
    wait_for(lambda: host.busctl(*property) == 'a(sss) 1 "10.8.8.8/24" "inner" "assigned"', 2, "the address on the bus")
