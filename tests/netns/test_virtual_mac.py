"""A MAC address of the virtual router's own: clients keep their neighbor entry through every move, a standby never sends from
it, and nothing of it is left when the daemon is gone."""

from __future__ import annotations

import json
import re
import signal
import time

import pytest
from conftest import Pair
from world import wait_for

VIPS = {4: ("10.77.0.100", "/24"), 6: ("fd77::100", "/64")}
MACS = {4: "00:00:5e:00:01:33", 6: "00:00:5e:00:02:33"}
NAMES = {4: "vrrp.51", 6: "vrrp6.51"}

# Every frame from the virtual MAC address that passes eth0 of this namespace, as it left: "seconds ethertype direction".
SNIFFER = """
import socket, sys, time
mac = bytes.fromhex(sys.argv[1].replace(":", ""))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("eth0", 0))
print("ready", flush=True)
while True:
    frame, address = s.recvfrom(2048)
    if frame[6:12] == mac:
        print(f"{time.clock_gettime(time.CLOCK_MONOTONIC):.6f} {frame[12:14].hex()} {'out' if address[2] == 4 else 'in'}", flush=True)
"""


class Sniffer:
    def __init__(self, host, mac: str):
        self.host, self.name = host, f"sniffer-{mac.replace(':', '')}"
        host.spawn(self.name, "/usr/bin/python3", "-c", SNIFFER, mac)
        wait_for(lambda: "ready" in host.log(self.name), 3, "the sniffer")

    def frames(self, direction: str, since: float = 0) -> list[tuple[float, str]]:
        lines = [line.split() for line in self.host.log(self.name).splitlines()[1:]]
        return [(float(when), kind) for when, kind, way in lines if way == direction and float(when) >= since]


class VirtualPair(Pair):
    def __init__(self, world, family: int = 4, virtual: str = "on", **more):
        self.family, self.macvlan, self.mac = family, NAMES[family], MACS[family]
        vip, prefix = VIPS[family]
        super().__init__(world, vip, prefix=prefix,
                         instance_extra=f"    virtual_mac: {virtual}\n" + more.pop("instance_extra", ""), **more)

    def holders(self) -> list[str]:
        return [host.name for host in self.hosts if holds(host, self.vip)]


def links(host) -> dict:
    return {link["ifname"]: link for link in json.loads(host.ip("-d", "-j", "address", "show"))}


def holds(host, address: str) -> bool:
    return any(entry.get("local") == address for link in links(host).values() for entry in link.get("addr_info", []))


def is_up(host, name: str) -> bool:
    return name in links(host) and "UP" in links(host)[name]["flags"]


def sysctl(host, name: str) -> str:
    return host.run("cat", f"/proc/sys/net/ipv4/conf/{name}").strip()


def neighbor(host, address: str) -> str | None:
    entries = json.loads(host.ip("-j", "neighbor", "show", "to", address, "dev", "eth0"))
    return entries[0].get("lladdr") if entries else None


def ask(client, address: str):
    """One request, whether it is answered."""
    return client.run("ping", "-n", "-c", "1", "-W", "1", address, check=False).find(" 0% packet loss") > 0


@pytest.mark.parametrize("family", [4, 6])
def test_the_address_lives_on_a_macvlan_that_only_the_master_raises(world, family):
    pair = VirtualPair(world, family)
    mine = links(pair.lb1)[pair.macvlan]
    assert (mine["address"], mine["link"], mine["linkinfo"]["info_kind"]) == (pair.mac, "eth0", "macvlan")
    assert mine["group"] == "112" and "addrgenmode none" in pair.lb1.ip("-d", "link", "show", pair.macvlan)
    assert [entry["local"] for entry in mine["addr_info"]] == [pair.vip]
    assert not is_up(pair.lb2, pair.macvlan) and links(pair.lb2)[pair.macvlan]["addr_info"] == []
    assert sysctl(pair.lb1, f"{pair.macvlan}/arp_ignore") == "1"
    client = world.add("client")
    assert ask(client, pair.vip) and neighbor(client, pair.vip) == pair.mac


@pytest.mark.parametrize("family", [4, 6])
def test_clients_keep_their_entry_through_every_move(world, family):
    pair = VirtualPair(world, family)
    client = world.add("client")
    assert ask(client, pair.vip)
    monitor = client.spawn("monitor", "ip", "monitor", "neigh", "dev", "eth0")
    time.sleep(0.2)
    pair.lb1.ctl("failover", "web")
    pair.wait_on("lb2", 3)
    assert ask(client, pair.vip)
    pair.lb2.holdfastd.kill(signal.SIGKILL)
    wait_for(lambda: holds(pair.lb1, pair.vip) and ask(client, pair.vip), 3, "an answer of lb1")
    pair.lb2.start_holdfastd()
    time.sleep(0.5)
    pair.lb1.holdfastd.kill(signal.SIGTERM)
    assert pair.lb1.holdfastd.wait() == 0
    pair.wait_on("lb2", 3)
    assert ask(client, pair.vip)
    monitor.end()
    entries = [line for line in client.log("monitor").splitlines() if line.startswith(f"{pair.vip} ")]
    assert {entry for line in entries for entry in re.findall(r"lladdr (\S+)", line)} <= {pair.mac}
    assert neighbor(client, pair.vip) == pair.mac


@pytest.mark.parametrize("family", [4, 6])
def test_a_standby_never_sends_from_the_virtual_mac(world, family):
    pair = VirtualPair(world, family, start=False)
    first, second = (Sniffer(host, pair.mac) for host in pair.hosts)
    pair.start()
    time.sleep(1)
    assert len(first.frames("out")) > 8 and second.frames("out") == []
    pair.lb1.ctl("failover", "web")
    pair.wait_on("lb2", 3)
    time.sleep(1)
    # Whoever has handed over is silent from the successor's first frame on.
    handed_over = second.frames("out")[0][0]
    assert len(second.frames("out")) > 8 and first.frames("out", handed_over) == []
    assert not is_up(pair.lb1, pair.macvlan)
    pair.lb2.holdfastd.kill(signal.SIGTERM)
    pair.wait_on("lb1", 3)
    taken_over = first.frames("out", handed_over)[0][0]
    time.sleep(0.5)
    assert second.frames("out", taken_over) == []


def test_two_masters_hear_each_other_although_both_have_the_mac(world):
    pair = VirtualPair(world)
    world.isolate(("lb1", "lb2"), True)
    wait_for(lambda: pair.holders() == ["lb1", "lb2"], 3, "both serving")
    assert is_up(pair.lb1, pair.macvlan) and is_up(pair.lb2, pair.macvlan)
    world.isolate(("lb1", "lb2"), False)
    pair.wait_on("lb1", 1)
    assert pair.instance(pair.lb1)["Counters"]["left_master"] == 0
    assert pair.instance(pair.lb1)["Warnings"] == [] and pair.instance(pair.lb2)["Warnings"] == []


ROUTER = """
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xc0, 3600, 3600, 0, socket.inet_pton(socket.AF_INET6, "2001:db8:1::"))
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 0, 0, 0) + prefix, ("ff02::1", 0, 0, socket.if_nametoindex("eth0")))
"""


@pytest.mark.parametrize("family", [4, 6])
def test_the_macvlan_takes_no_address_from_a_router(world, family):
    pair = VirtualPair(world, family)
    world.add("router").run("/usr/bin/python3", "-c", ROUTER)
    advertised = lambda name: [entry["local"] for entry in links(pair.lb1)[name]["addr_info"]
                               if entry["local"].startswith("2001:db8:1:")]
    wait_for(lambda: advertised("eth0"), 3, "the advertisement to arrive")
    assert advertised(pair.macvlan) == []


@pytest.mark.parametrize("family", [4, 6])
def test_killed_and_restarted_the_daemon_adopts_the_macvlan(world, family):
    pair = VirtualPair(world, family, interval="1s")
    client = world.add("client")
    assert ask(client, pair.vip)
    before = links(pair.lb1)[pair.macvlan]["ifindex"]
    standby = Sniffer(pair.lb2, pair.mac)
    pair.lb1.holdfastd.kill()
    time.sleep(0.2)
    pair.lb1.start_holdfastd()
    wait_for(lambda: pair.lb1.status().get("Instances") and pair.instance(pair.lb1)["State"] == "master", 3, "the adoption")
    assert pair.instance(pair.lb1)["StateReason"]["Code"] == "adopted"
    time.sleep(1)
    mine = links(pair.lb1)[pair.macvlan]
    assert mine["ifindex"] == before and is_up(pair.lb1, pair.macvlan) and ask(client, pair.vip)
    assert pair.instance(pair.lb2)["Counters"]["became_master"] == 0 and standby.frames("out") == []


def stop_and_see_nothing_left(pair, *settings: str):
    """The master last: no interface of ours is left, and these settings of the one under it are what they were."""
    for host in reversed(pair.hosts):
        host.holdfastd.kill(signal.SIGTERM)
        assert host.holdfastd.wait() == 0
        assert set(links(host)) == {"lo", "eth0"}
        assert [sysctl(host, f"eth0/{name}") for name in settings] == ["0"] * len(settings)


def test_a_stop_restores_the_settings_and_leaves_no_link_also_after_a_crash(world):
    pair = VirtualPair(world, start=False)
    for host in pair.hosts:
        host.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/eth0/arp_ignore; echo 0 > /proc/sys/net/ipv4/conf/eth0/arp_filter")
    pair.start()
    for host in pair.hosts:
        assert (sysctl(host, "eth0/arp_ignore"), sysctl(host, "eth0/arp_filter")) == ("1", "1")
    pair.lb1.holdfastd.kill()
    pair.wait_on("lb2", 8)
    pair.lb1.start_holdfastd()
    pair.wait_on("lb1", 4)
    stop_and_see_nothing_left(pair, "arp_ignore", "arp_filter")


def test_what_a_dead_daemon_left_goes_when_its_instance_is_gone(world):
    pair = VirtualPair(world)
    pair.lb1.holdfastd.kill()
    pair.lb1.holdfastd.wait()
    world.configure("instances: {}\n")
    pair.lb1.start_holdfastd()
    wait_for(lambda: set(links(pair.lb1)) == {"lo", "eth0"}, 3, "the macvlan to go")
    wait_for(lambda: sysctl(pair.lb1, "eth0/arp_ignore") == "0", 1, "the setting")


def test_a_reload_makes_and_takes_away_the_macvlan(world):
    pair = VirtualPair(world)
    world.configure(pair.text.replace("virtual_mac: on", "virtual_mac: off"))
    for host in pair.hosts:
        host.ctl("reload")
    wait_for(lambda: all(set(links(host)) == {"lo", "eth0"} for host in pair.hosts), 4, "no macvlan")
    pair.wait_on("lb1", 4)
    world.configure(pair.text.replace("virtual_mac: on", "virtual_mac: {interface: vmac0, address: '02:00:00:00:00:51'}"))
    for host in pair.hosts:
        host.ctl("reload")
    wait_for(lambda: is_up(pair.lb1, "vmac0"), 4, "vmac0")
    pair.wait_on("lb1", 4)
    client = world.add("client")
    assert ask(client, pair.vip) and neighbor(client, pair.vip) == "02:00:00:00:00:51"


def test_an_interface_of_somebody_else_is_a_fault_and_left_alone(world):
    pair = VirtualPair(world, start=False)
    pair.lb1.ip("link", "add", pair.macvlan, "type", "veth", "peer", "name", "other")
    for host in pair.hosts:
        host.start_holdfastd()
    pair.wait_on("lb2", 4)
    mine = pair.instance(pair.lb1)
    assert (mine["State"], mine["StateReason"]["Code"]) == ("fault", "virtual_mac")
    assert "vrrp.51 already, and not by holdfast" in mine["StateReason"]["Text"]
    pair.lb1.ip("link", "del", pair.macvlan)
    pair.wait_on("lb1", 4)


def test_a_strict_reverse_path_filter_for_all_interfaces_does_no_harm(world):
    pair = VirtualPair(world, start=False)
    for host in pair.hosts:
        host.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter")
    pair.start()
    client = world.add("client")
    assert ask(client, pair.vip)


def test_a_macvlan_that_somebody_deletes_or_lowers_is_back_at_once(world):
    pair = VirtualPair(world)
    client = world.add("client")
    before = pair.instance(pair.lb2)["Counters"]["became_master"]
    pair.lb1.ip("link", "del", pair.macvlan)
    wait_for(lambda: holds(pair.lb1, pair.vip) and is_up(pair.lb1, pair.macvlan), 1, "the address to come back")
    assert ask(client, pair.vip)
    pair.lb1.ip("link", "set", pair.macvlan, "down")
    wait_for(lambda: is_up(pair.lb1, pair.macvlan), 1, "the macvlan to come up")
    assert ask(client, pair.vip)
    assert pair.instance(pair.lb2)["Counters"]["became_master"] == before


@pytest.mark.parametrize("extra", ["{adverts_from: parent}", "on, unicast"])
def test_adverts_from_the_parent_and_announcements_from_the_virtual_mac(world, extra):
    unicast = "    unicast: {peers: [10.77.0.1, 10.77.0.2]}\n" if "unicast" in extra else ""
    pair = VirtualPair(world, virtual=extra.split(",")[0] if unicast else extra, instance_extra=unicast, start=False)
    sniffer = Sniffer(pair.lb1, pair.mac)
    pair.start()
    time.sleep(1.2)
    assert {kind for _, kind in sniffer.frames("out")} & {"0800", "0806"} == {"0806"}
    client = world.add("client")
    assert ask(client, pair.vip) and neighbor(client, pair.vip) == pair.mac
    pair.lb1.ctl("failover", "web")
    pair.wait_on("lb2", 3)
    assert ask(client, pair.vip)


def test_both_families_are_two_macvlans(world):
    pair = Pair(world, "10.77.0.100/24, fd77::100", prefix="/64", instance_extra="    virtual_mac: on\n", start=False)
    for host in pair.hosts:
        host.start_holdfastd()
    everything = lambda host: all(is_up(host, NAMES[f]) and holds(host, VIPS[f][0]) for f in (4, 6))
    wait_for(lambda: everything(pair.lb1), 4, "both on lb1")
    client = world.add("client")
    for family in (4, 6):
        assert ask(client, VIPS[family][0]) and neighbor(client, VIPS[family][0]) == MACS[family]
    pair.lb1.holdfastd.kill(signal.SIGTERM)
    wait_for(lambda: everything(pair.lb2), 4, "both on lb2")
    assert pair.lb1.holdfastd.wait() == 0  # the macvlans go last
    assert set(links(pair.lb1)) == {"lo", "eth0"}


def keepalived(host, family: int, priority: int):
    vip, prefix = VIPS[family]
    addresses = f"fe80::77:100\n  {vip}{prefix}" if family == 6 else f"{vip}{prefix}"
    return host.start_keepalived(
        f"global_defs {{\n router_id {host.name}\n vrrp_version 3\n script_user root\n}}\n"
        f"vrrp_instance V {{\n state BACKUP\n interface eth0\n use_vmac\n virtual_router_id 51\n priority {priority}\n"
        f" advert_int 0.1\n virtual_ipaddress {{\n  {addresses}\n }}\n}}\n")


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("better", ["holdfast", "keepalived"])
def test_keepalived_with_its_vmac_as_peer(world, family, better):
    ours, theirs = (250, 200) if better == "holdfast" else (200, 250)
    pair = VirtualPair(world, family, priorities=(ours, ours), start=False)
    if family == 6:  # keepalived wants a link-local address first; the lists on the wire must be equal
        world.configure(pair.text.replace("[fd77::100/64]", "[fe80::77:100/64, fd77::100/64]"))
    # Its replies ask for the client in the name of the address, from the interface's own MAC address: its users set this.
    pair.lb2.run("sh", "-c", "echo 2 > /proc/sys/net/ipv4/conf/eth0/arp_announce")
    pair.lb1.start_holdfastd()
    peer = keepalived(pair.lb2, family, theirs)
    first, second = ("lb1", "lb2") if better == "holdfast" else ("lb2", "lb1")
    pair.wait_on(first, 8)
    client = world.add("client")
    wait_for(lambda: ask(client, pair.vip), 3, "an answer")
    assert neighbor(client, pair.vip) == pair.mac
    stop = pair.lb1.holdfastd if first == "lb1" else peer
    stop.kill(signal.SIGTERM)
    stop.wait()
    pair.wait_on(second, 8)
    wait_for(lambda: ask(client, pair.vip), 3, "an answer of the successor")
    assert neighbor(client, pair.vip) == pair.mac
    if first == "lb1":
        pair.lb1.start_holdfastd()
    else:
        keepalived(pair.lb2, family, theirs)
    pair.wait_on(first, 8)
    time.sleep(0.3)
    assert pair.lb2.complaints() == []
    assert "dropped a VRRP packet" not in pair.lb1.log("holdfastd")
