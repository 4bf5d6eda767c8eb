"""Real connections through what holdfast has programmed: every way to a real server in both families, persistence, marks.

One director, two real servers and a client on one switch; all three hosts with holdfast have the same file. The real servers'
addresses on `lo` and their silence are holdfast's doing (`host:`); the tunnels' own devices are the administrator's, so they are
made by hand here. Each way is proven where the packets are: counters on the real servers tell how they came, one on the director
tells whether it saw the answers. NAT over IPv4 is in test_balancer.py, a director that serves too in test_flagship.py."""

from __future__ import annotations

import collections
import json
import os

import pytest
from test_balancer import table
from world import World, wait_for

pytestmark = pytest.mark.kernel("ip_vs", "ip_vs_rr", "nf_tables", "ipip", "sit", "ip6_tunnel", "ip_gre", "ip6_gre", "fou")

CLIENT, OTHER, THROUGH = ("10.77.0.2", "fd77::2"), ("10.77.0.22", "fd77::22"), ("10.77.0.23", "fd77::23")  # the last: NAT's
DIRECTOR = ("10.77.0.1", "fd77::1")
SERVERS = {"s1": ("10.77.0.3", "fd77::3"), "s2": ("10.77.0.4", "fd77::4")}
GUE_PORT = 6080

GRE, GUE = "tunnel, tunnel: {kind: gre}", f"tunnel, tunnel: {{kind: gue, port: {GUE_PORT}}}"
# name: virtual address, forwarding, family of the real servers (0: IPv4, 1: IPv6), how ipvsadm says it
WAYS = {
    "nat6": ("fd77::100", "nat", 1, "-m"),
    "dr4": ("10.77.0.101", "dr", 0, "-g"),
    "dr6": ("fd77::101", "dr", 1, "-g"),
    "ipip-4in4": ("10.77.0.102", "tunnel", 0, "-i"),
    "ipip-6in6": ("fd77::102", "tunnel", 1, "-i"),
    "ipip-4in6": ("10.77.0.103", "tunnel", 1, "-i"),
    "ipip-6in4": ("fd77::103", "tunnel", 0, "-i"),
    "gre-4in4": ("10.77.0.104", GRE, 0, "-i"),
    "gre-6in6": ("fd77::104", GRE, 1, "-i"),
    "gue-4in4": ("10.77.0.105", GUE, 0, "-i"),
    "gue-6in6": ("fd77::105", GUE, 1, "-i"),
}
# name: virtual address, length of the prefix whose clients count as one
KEPT = {"kept4": ("10.77.0.111", 0), "kept6": ("fd77::111", 0), "kept4-24": ("10.77.0.112", 24), "kept6-64": ("fd77::112", 64)}
PERSISTENCE = 3  # seconds
MARKED = {"marked4": ("dr4", 7, "ipv4"), "marked6": ("dr6", 8, "ipv6")}

# On a real server: what comes over the cable, by the name of the way that leads there. Answers and checks are neither.
ARRIVING = {
    "nat6": "ip6 saddr {through6} ip6 daddr {real6} tcp dport 80",
    "dr4": "ip saddr {{ {clients4} }} tcp dport 80",
    "dr6": "ip6 saddr {{ {clients6} }} tcp dport 80",
    "ipip-4in4": "ip saddr {director4} meta l4proto 4",
    "ipip-6in6": "ip6 saddr {director6} meta l4proto 41",
    "ipip-4in6": "ip6 saddr {director6} meta l4proto 4",
    "ipip-6in4": "ip saddr {director4} meta l4proto 41",
    "gre-4in4": "ip saddr {director4} meta l4proto 47",
    "gre-6in6": "ip6 saddr {director6} meta l4proto 47",
    "gue-4in4": "meta nfproto ipv4 udp dport {gue_port}",
    "gue-6in6": "meta nfproto ipv6 udp dport {gue_port}",
}
ANSWERS = {"answers": "ip daddr {{ {clients4} }} tcp sport 80", "answers6": "ip6 daddr {{ {clients6}, {through6} }} tcp sport 80"}
# On the client: the director says that a tunnel takes no packet of this size.
TOO_BIG = {"too-big": "icmp type destination-unreachable icmp code frag-needed", "too-big6": "icmpv6 type packet-too-big"}

# A request of many full packets, so that a way of smaller packets has to say so (path MTU).
ASK = """
import json, socket, sys
address, source, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
answers = []
for _ in range(count):
    with socket.create_connection((address, 80), 8, (source, 0)) as talk:
        talk.sendall(b"POST / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\nContent-Length: 20000\\r\\n\\r\\n" + b"x" * 20000)
        answers.append(talk.makefile().read().strip().splitlines()[-1])
print(json.dumps(answers))
"""


def family(address: str) -> int:
    return int(":" in address)


def service(address: str, port: int = 80) -> str:
    return f"[{address}]:{port}" if family(address) else f"{address}:{port}"


def watch(host, rules: dict[str, str], **values: str):
    """A counter of each name in the packet filter."""
    lines = [f"counter {name} {{ }}" for name in rules]
    lines += ["chain arriving { type filter hook prerouting priority raw; iifname != eth0 accept"]
    lines += [f"{rule.format(**values)} counter name {name}" for name, rule in rules.items()]
    file = host.directory / "watch.nft"
    file.write_text("table inet watch {\n" + "\n".join(lines) + "\n}\n}\n")
    host.run("nft", "-f", str(file))


def counted(host) -> dict[str, int]:
    """Packets since the last look, of the counters that saw any."""
    entries = json.loads(host.run("nft", "-j", "reset", "counters", "table", "inet", "watch"))["nftables"]
    return {each["counter"]["name"]: each["counter"]["packets"] for each in entries if "counter" in each and each["counter"]["packets"]}


class Traffic:
    def __init__(self, world: World):
        self.world = world
        self.lb, self.client = world.add("lb1"), world.add("client")
        self.servers = {name: world.add(name) for name in SERVERS}
        for address in (*OTHER, *THROUGH):
            self.client.ip("address", "add", address + ("/64" if family(address) else "/24"), "dev", "eth0")
        self.client.ip("link", "set", "eth0", "gso_max_segs", "1")  # packets of the size that a wire has
        self.prepare_director()
        for name, host in self.servers.items():
            self.prepare_server(host, *SERVERS[name])
        world.configure(self.text())
        for host in (self.lb, *self.servers.values()):
            host.start_bus()
            host.start_holdfastd()
        names = [*WAYS, *KEPT, *MARKED]
        up = lambda: {name for name, view in self.views().items() if {real["State"] for real in view["RealServers"]} == {"up"}}
        wait_for(lambda: up() == set(names), 30, "all real servers to be up", every=0.5)
        for name, host in self.servers.items():
            wait_for(lambda h=host: h.has("10.77.0.101", "lo") and h.has("fd77::112", "lo"), 20, f"the role of {name}", every=0.2)
        self.look_anew()

    def text(self) -> str:
        lines = ["instances: {}", "ipvs: {timeouts: {tcp_fin: 1s}}", "virtual_servers:"]  # connections of the past end soon

        def add(name: str, where: str, forwarding: str, reals: dict[str, str], more: str = ""):
            listed = ", ".join(f'{real}: {{address: "{address}", host: {real}}}' for real, address in reals.items())
            lines.append(f"  {name}: {{{where}, protocol: tcp, scheduler: rr, directors: [lb1], alpha: on, forwarding: {forwarding}, {more}"
                         f"check: {{tcp: {{}}, interval: 5s, connect_port: 80, warmup: 1s}}, real_servers: {{{listed}}}}}")
        for name, (address, forwarding, kind, _) in WAYS.items():
            add(name, f'address: "{service(address)}"', forwarding, {real: own[kind] for real, own in SERVERS.items()})
        for name, (address, prefix) in KEPT.items():
            add(name, f'address: "{service(address)}"', "dr", {real: own[family(address)] for real, own in SERVERS.items()},
                f"persistence: {PERSISTENCE}s, persistence_prefix: {prefix}, ")
        for name, (way, mark, kind) in MARKED.items():  # to one server alone; its address there is that of the other service
            add(name, f"mark: {mark}, family: {kind}", "dr", {"s2": SERVERS["s2"][family(WAYS[way][0])]})
        return "\n".join(lines) + "\n"

    def prepare_director(self):
        self.lb.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.send_redirects=0",
                    "net.ipv4.conf.eth0.send_redirects=0")
        for address in [way[0] for way in WAYS.values()] + [kept[0] for kept in KEPT.values()]:
            # As holdfast has its own: nothing that this host sends by itself comes from a service's address.
            self.lb.ip("address", "add", address, "dev", "eth0", *(["preferred_lft", "0"] if family(address) else []))
        watch(self.client, TOO_BIG)
        watch(self.lb, ANSWERS, clients4=", ".join((CLIENT[0], OTHER[0])), clients6=", ".join((CLIENT[1], OTHER[1])), through6=THROUGH[1])

    @staticmethod
    def prepare_server(host, real4: str, real6: str):
        """By hand: nginx, the route of NAT's answers, and a device for each kind of tunnel. GUE comes out of a UDP socket as what it
        carries, which is the same kind of tunnel without it."""
        host.start_nginx()
        # One link for both ways: the director would say that there is a shorter one for the answers.
        host.run("sysctl", "-qw", "net.ipv6.conf.eth0.accept_redirects=0", "net.ipv4.conf.default.rp_filter=0")
        host.ip("route", "add", f"{THROUGH[1]}/128", "via", DIRECTOR[1])
        for name, kind, local, remote in (("ipip", "ipip", real4, DIRECTOR[0]), ("sit", "sit", real4, DIRECTOR[0]),
                                          ("gre4", "gre", real4, DIRECTOR[0]), ("gre6", "ip6gre", real6, DIRECTOR[1])):
            host.ip("link", "add", name, "type", kind, "local", local, "remote", remote)
        host.ip("link", "add", "any6", "type", "ip6tnl", "mode", "any", "local", real6, "remote", DIRECTOR[1])
        for name in ("ipip", "sit", "gre4", "gre6", "any6"):
            host.ip("link", "set", name, "up")
            host.run("sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter=0")
        for version in ("-4", "-6"):
            host.ip(version, "fou", "add", "port", str(GUE_PORT), "gue")
        watch(host, ARRIVING, clients4=", ".join((CLIENT[0], OTHER[0])), clients6=", ".join((CLIENT[1], OTHER[1])), through6=THROUGH[1],
              real6=real6, director4=DIRECTOR[0], director6=DIRECTOR[1], gue_port=str(GUE_PORT))

    # ---- looking and asking --------------------------------------------------------------------------------------------

    def views(self) -> dict[str, dict]:
        return {server["Name"]: server for server in json.loads(self.lb.ctl("--json=short", "ipvs", check=False) or "[]")}

    def look_anew(self):
        for host in (self.lb, self.client, *self.servers.values()):
            counted(host)

    def ask(self, address: str, source: str, count: int) -> list[str]:
        """Who answered."""
        return json.loads(self.client.run("/usr/bin/python3", "-c", ASK, address, source, str(count)))

    def kernel_counts(self, *which: str) -> dict[str, dict[str, int]]:
        """ipvsadm --stats of one service: real server -> connections, packets in and out."""
        result = {}
        for line in self.lb.run("ipvsadm", "-Ln", "--stats", "--exact", *which).splitlines():
            words = line.split()
            if words[0] == "->" and words[1] != "RemoteAddress:Port":
                result[words[1]] = {"connections": int(words[2]), "in": int(words[3]), "out": int(words[4])}
        return result


@pytest.fixture(scope="module")
def lab():
    with World(f"hft{os.getpid() % 1000}traffic") as world:
        yield Traffic(world)


@pytest.mark.parametrize("way", WAYS)
def test_connections_go_the_way_that_the_file_says(lab, way):
    address, forwarding, kind, shown = WAYS[way]
    endpoints = {name: service(own[kind]) for name, own in SERVERS.items()}
    assert table(lab.lb)[service(address)] == {endpoint: (shown, 1) for endpoint in endpoints.values()}
    lab.look_anew()
    source = (THROUGH if forwarding == "nat" else CLIENT)[family(address)]
    assert collections.Counter(lab.ask(address, source, 4)) == {"s1": 2, "s2": 2}

    arrived = {name: set(counted(host)) for name, host in lab.servers.items()}
    assert arrived == {"s1": {way}, "s2": {way}}, "how packets came to the real servers"
    answers = counted(lab.lb)
    assert bool(answers) == (forwarding == "nat"), f"answers that came by the director: {answers}"
    told = counted(lab.client)
    assert bool(told) == (shown == "-i"), f"a tunnel is narrower than the cable, and the client is told so: {told}"

    # The kernel's counters, which it adds up every 2 s, and holdfast's view of them.
    counts = lambda: lab.kernel_counts("-t", service(address))
    wait_for(lambda: [each["connections"] for each in counts().values()] == [2, 2], 10, "two connections each to be counted", every=0.4)
    for each in counts().values():
        assert each["in"] >= 2 * 15, f"packets of {way}: {counts()}"
    assert sum(each["out"] for each in counts().values()) == sum((answers or told).values()), "no other packets back to the client"
    seen = lambda: {real["Name"]: real["Counters"]["connections"] for real in lab.views()[way]["RealServers"]}
    wait_for(lambda: seen() == {"s1": 2, "s2": 2}, 5, "holdfast to have seen them", every=0.4)


@pytest.mark.parametrize("name", KEPT)
def test_a_client_stays_with_its_server_while_its_time_runs(lab, name):
    address, prefix = KEPT[name]
    one, other = CLIENT[family(address)], OTHER[family(address)]
    mine, theirs = set(lab.ask(address, one, 4)), set(lab.ask(address, other, 4))
    assert len(mine) == len(theirs) == 1, f"{one}: {mine}, {other}: {theirs}"
    assert (mine == theirs) == bool(prefix), "another client gets the other server, unless both count as one"
    memory = lambda: lab.lb.run("ipvsadm", "-Lnc").splitlines()
    remembered = lambda: [line for line in memory() if service(address) in line or service(address, 0) in line]
    assert remembered()
    wait_for(lambda: not remembered(), 6 * PERSISTENCE, "the kernel to forget who was where", every=0.5)
    assert set(lab.ask(address, other, 1)) == {"s1", "s2"} - theirs, "and then it is the next server's turn"


@pytest.mark.parametrize("name", MARKED)
def test_packets_with_a_mark_are_another_service(lab, name):
    """The same address and port for all clients; the packets of some are marked, and go to one server alone."""
    way, mark, kind = MARKED[name]
    address, _, _, _ = WAYS[way]
    one, other = CLIENT[family(address)], OTHER[family(address)]
    word = "ip6" if family(address) else "ip"
    lab.lb.run("nft", "add table inet marks; add chain inet marks before { type filter hook prerouting priority mangle; }; "
               f"add rule inet marks before {word} saddr {other} {word} daddr {address} tcp dport 80 meta mark set {mark}")
    try:
        assert set(lab.ask(address, other, 4)) == {"s2"}
        assert set(lab.ask(address, one, 4)) == {"s1", "s2"}
    finally:
        lab.lb.run("nft", "delete", "table", "inet", "marks")
    counts = lambda: lab.kernel_counts("-f", str(mark), *(["-6"] if kind == "ipv6" else []))
    wait_for(lambda: [each["connections"] for each in counts().values()] == [4], 10, "four connections to be counted", every=0.4)
    assert set(lab.ask(address, other, 2)) == {"s1", "s2"}, "without a mark it is as all others"
