"""Virtual servers in the kernel's own load balancer: real traffic, real servers that die, the table that people know."""

from __future__ import annotations

import json
import re

import pytest
from world import BUILD, wait_for

pytestmark = pytest.mark.kernel("ip_vs", "ip_vs_wrr", "ip_vs_rr", "ip_vs_wlc")

VIP = "10.77.0.100"
CHECK = "check: {http: /, interval: 200ms, timeout: 100ms, retry: 1, retry_delay: 50ms}"


def table(host) -> dict[str, dict[str, tuple[str, int]]]:
    """ipvsadm -Sn: service -> real server -> (forwarding, weight)."""
    services: dict[str, dict] = {}
    for line in host.run("ipvsadm", "-Sn").splitlines():
        words = line.split()
        if words[0] == "-A":
            services[words[2]] = {}
        else:
            services[words[2]][words[4]] = (words[5], int(words[words.index("-w") + 1]))
    return services


def get(host, address: str = VIP, port: int = 80) -> str:
    """Who answered, or "" when nobody did."""
    text = host.run("/usr/bin/python3", "-c", f"""
import socket
s = socket.create_connection(("{address}", {port}), 1)
s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print(s.makefile().read().split("\\r\\n\\r\\n")[-1].split("\\n\\n")[-1].strip())
""", check=False).strip()
    return text.splitlines()[-1] if text else ""


class Talk:
    """A connection that stays open in the middle of its request until it is told to finish. Several packets have gone by
    then, as the synchronisation daemon speaks of no connection of fewer than three."""

    def __init__(self, host, gate):
        self.host, self.gate = host, gate
        self.process = host.spawn("talk", "/usr/bin/python3", "-u", "-c", f"""
import os, socket, time
s = socket.create_connection(("{VIP}", 80))
for part in (b"GET / HT", b"TP/1.1\\r\\n", b"Host: a\\r\\n", b"Connection: close\\r\\n"):
    s.sendall(part); time.sleep(0.1)
print("begun", flush=True)
while not os.path.exists("{gate}"): time.sleep(0.05)
s.sendall(b"\\r\\n")
print(s.makefile().read().strip().splitlines()[-1], flush=True)
""")
        wait_for(lambda: "begun" in host.log("talk"), 5, "a connection")

    def finish(self) -> str:
        """Who answered."""
        self.gate.touch()
        assert self.process.wait(10) == 0
        return self.host.log("talk").strip().splitlines()[-1]


class Balanced:
    """A director, real servers with nginx behind it (NAT through the director), and a client."""

    def __init__(self, world, servers: int = 2, director: str = "lb1", more: str = "", check: str = CHECK, protocol: str = "tcp"):
        self.world = world
        self.lb = world.add(director)
        self.client = world.add("client")
        self.servers = {}
        for number in range(1, servers + 1):
            host = self.servers[f"s{number}"] = world.add(f"s{number}")
            host.start_nginx()
            address = host.addresses[0].split("/")[0]
            # Answers go back through the director, which undoes the NAT.
            host.ip("route", "replace", self.client_address() + "/32", "via", self.lb.addresses[0].split("/")[0])
            host.real = address
        self.lb.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
        self.lb.ip("address", "add", f"{VIP}/32", "dev", "eth0")
        reals = ", ".join(f"{name}: {{address: {host.real}}}" for name, host in self.servers.items())
        self.text = (f"instances: {{}}\nvirtual_servers:\n  web:\n    address: {VIP}:80\n    protocol: {protocol}\n    scheduler: rr\n"
                     f"    {check}\n{more}    real_servers: {{{reals}}}\n")
        world.configure(self.text)
        self.lb.start_bus()

    def client_address(self) -> str:
        return self.client.addresses[0].split("/")[0]

    def start(self):
        self.lb.start_holdfastd()
        wait_for(lambda: len(self.view()["RealServers"]) == len(self.servers) and
                 all(real["State"] == "up" for real in self.view()["RealServers"]), 5, "all servers up")

    def view(self, name: str = "web") -> dict:
        servers = json.loads(self.lb.ctl("--json=short", "ipvs", check=False) or "[]")
        return next((server for server in servers if server["Name"] == name), {"RealServers": []})

    def real(self, name: str) -> dict:
        return next(real for real in self.view()["RealServers"] if real["Name"] == name)

    def endpoint(self, name: str) -> str:
        return f"{self.servers[name].real}:80"

    def in_table(self) -> dict[str, tuple[str, int]]:
        return table(self.lb).get(f"{VIP}:80", {})


def stats(lab, connections: int) -> str:
    """ipvsadm --stats, when the kernel has added up so many connections (it does every 2 s)."""
    text = lambda: lab.lb.run("ipvsadm", "-Ln", "--stats", "--exact")
    wait_for(lambda: re.search(rf"TCP\s+{VIP}:80\s+{connections}\s", text()), 5, f"{connections} connections counted")
    return text()


def test_clients_are_balanced_and_a_dead_server_gets_no_more(world):
    lab = Balanced(world)
    lab.start()
    assert lab.in_table() == {lab.endpoint("s1"): ("-m", 1), lab.endpoint("s2"): ("-m", 1)}
    assert {get(lab.client) for _ in range(6)} == {"s1", "s2"}
    lab.servers["s1"].kill_nginx()
    wait_for(lambda: lab.real("s1")["State"] == "down", 3, "s1 to be down")
    assert lab.in_table() == {lab.endpoint("s2"): ("-m", 1)}
    assert {get(lab.client) for _ in range(4)} == {"s2"}
    lab.servers["s1"].start_nginx()
    wait_for(lambda: lab.endpoint("s1") in lab.in_table(), 3, "s1 in the table again")
    assert {get(lab.client) for _ in range(6)} == {"s1", "s2"}
    assert re.search(r"web/s1 is down: .*refused", lab.lb.log("holdfastd"))


def test_the_sorry_server_serves_when_the_quorum_is_lost_and_nobody_is_refused_meanwhile(world):
    lab = Balanced(world, servers=3)
    reals = ", ".join(f"{name}: {{address: {lab.servers[name].real}}}" for name in ("s1", "s2"))
    world.configure(f"instances: {{}}\nvirtual_servers:\n  web:\n    address: {VIP}:80\n    protocol: tcp\n    scheduler: rr\n    {CHECK}\n"
                    f"    quorum: 2\n    sorry_server: {lab.servers['s3'].real}:80\n    real_servers: {{{reals}}}\n")
    lab.lb.start_holdfastd()
    wait_for(lambda: [r["State"] for r in lab.view()["RealServers"]] == ["up", "up"], 5, "both up")
    lab.servers["s2"].kill_nginx()
    answers = []
    wait_for(lambda: answers.append(get(lab.client)) or lab.view()["State"] == "sorry", 3, "the sorry server", every=0)
    assert list(lab.in_table()) == [lab.endpoint("s3")]
    assert get(lab.client) == "s3"
    lab.servers["s2"].start_nginx()
    wait_for(lambda: answers.append(get(lab.client)) or lab.view()["State"] == "serving", 3, "the quorum", every=0)
    assert set(lab.in_table()) == {lab.endpoint("s1"), lab.endpoint("s2")}
    # s2 itself refused clients until its check noticed; nobody else ever did.
    assert answers.count("") <= len(answers) / 2


def test_the_table_is_repaired_and_the_services_of_others_stay(world):
    lab = Balanced(world)
    lab.start()
    lab.lb.run("ipvsadm", "-A", "-u", "10.77.0.100:53", "-s", "rr")
    whole = table(lab.lb)
    lab.lb.run("ipvsadm", "-D", "-t", f"{VIP}:80")
    wait_for(lambda: table(lab.lb) == whole, 2, "the service again")
    lab.lb.run("ipvsadm", "-e", "-t", f"{VIP}:80", "-r", lab.endpoint("s1"), "-m", "-w", "77")
    wait_for(lambda: table(lab.lb) == whole, 4, "the weight again") # destinations are read every 2 s
    lab.lb.holdfastd.kill(15)
    assert lab.lb.holdfastd.wait() == 0
    assert table(lab.lb) == {"10.77.0.100:53": {}}


def test_a_crash_and_a_restart_leave_the_table_and_its_connections_alone(world):
    lab = Balanced(world)
    lab.start()
    for _ in range(4):
        get(lab.client)
    lab.servers["s1"].kill_nginx()
    wait_for(lambda: list(lab.in_table()) == [lab.endpoint("s2")], 3, "s1 out of the table")
    before = stats(lab, 4)
    lab.lb.holdfastd.kill()
    lab.lb.holdfastd.wait()
    assert stats(lab, 4) == before
    lab.lb.start_holdfastd()
    wait_for(lambda: lab.view().get("State") == "serving", 5, "the daemon again")
    wait_for(lambda: lab.real("s1")["State"] == "down", 5, "a verdict on s1")
    assert stats(lab, 4) == before, "the counters of what did not change went on, and s1 never came back"


def test_what_left_the_file_while_the_daemon_was_dead_leaves_the_table_too(world):
    lab = Balanced(world)
    old = "  old:\n    address: 10.77.0.101:80\n    protocol: tcp\n    real_servers: {s1: {address: 10.77.0.9}}\n"
    world.configure(lab.text + old)
    lab.start()
    lab.lb.run("ipvsadm", "-A", "-u", f"{VIP}:53", "-s", "rr")
    assert set(table(lab.lb)) == {f"{VIP}:80", "10.77.0.101:80", f"{VIP}:53"}
    lab.lb.holdfastd.kill()
    lab.lb.holdfastd.wait()
    world.configure(lab.text)
    lab.lb.start_holdfastd()
    wait_for(lambda: set(table(lab.lb)) == {f"{VIP}:80", f"{VIP}:53"}, 5, "the old service to leave; the last is somebody else's")
    wait_for(lambda: lab.view().get("State") == "serving", 5, "what the file names to be served")
    assert len(lab.in_table()) == 2


def test_people_drain_weigh_and_disable(world):
    lab = Balanced(world)
    lab.start()
    assert lab.lb.ctl("weight", "web/s1", "5").strip() == "web/s1 has weight 5 until the next start"
    wait_for(lambda: lab.in_table()[lab.endpoint("s1")] == ("-m", 5), 2, "weight 5")
    lab.lb.ctl("weight", "web/s1", "file")
    wait_for(lambda: lab.in_table()[lab.endpoint("s1")] == ("-m", 1), 2, "the file's weight")
    lab.lb.ctl("disable", "web/s2")
    wait_for(lambda: list(lab.in_table()) == [lab.endpoint("s1")], 2, "s2 out of the table")
    lab.lb.ctl("enable", "web/s2")
    wait_for(lambda: len(lab.in_table()) == 2, 2, "s2 in the table")
    talk = Talk(lab.client, world.directory / "go")
    busy = lambda: [name for name in lab.servers if lab.real(name)["Counters"]["active_connections"] > 0]
    wait_for(busy, 3, "it is counted")
    owner = busy()[0]
    # The table of connections is its namespace's own, so it is read there.
    connections = lambda name: lab.lb.run("env", f"DBUS_SYSTEM_BUS_ADDRESS={lab.lb.bus_address}", str(BUILD / "src/ctl/holdfastctl"),
                                          "connections", name, "--json=short")
    flow = next(each for each in map(json.loads, connections("web").splitlines()) if each["State"] == "ESTABLISHED")
    assert (flow["Protocol"], flow["Service"], flow["Server"], flow["Name"]) == ("TCP", f"{VIP}:80", lab.endpoint(owner), f"web/{owner}")
    assert [json.loads(line)["Name"] for line in connections(f"web/{owner}").splitlines()].count(f"web/{owner}") >= 1
    lab.lb.ctl("drain", f"web/{owner}", "--timeout", "1min")
    wait_for(lambda: lab.in_table()[lab.endpoint(owner)] == ("-m", 0), 2, "weight 0")
    assert {get(lab.client) for _ in range(4)} == set(lab.servers) - {owner}
    assert talk.finish() == owner, "the connection was not cut"
    assert lab.lb.ctl("drain", f"web/{owner}", "--timeout", "2s", "--wait").strip().splitlines()[-1] == f"web/{owner} has drained"
    assert lab.endpoint(owner) not in lab.in_table()
    with pytest.raises(RuntimeError, match="no real server 's9'"):
        lab.lb.ctl("drain", "web/s9")


def test_a_reload_changes_what_differs_and_nothing_else(world):
    lab = Balanced(world)
    lab.start()
    for _ in range(4):
        get(lab.client)
    before = stats(lab, 4)
    lab.lb.ctl("reload")
    assert stats(lab, 4) == before
    world.configure(lab.text.replace("scheduler: rr", "scheduler: wrr").replace("}}", ", weight: 3}}"))
    lab.lb.ctl("reload")
    wait_for(lambda: lab.in_table() == {lab.endpoint("s1"): ("-m", 1), lab.endpoint("s2"): ("-m", 3)}, 2, "the new weight")
    assert "-s wrr" in lab.lb.run("ipvsadm", "-Sn")


class Directors:
    """Two directors, one real server whose answers go back through whoever is master, and a client."""

    def __init__(self, world, more: str = ""):
        self.hosts = [world.add("lb1"), world.add("lb2")]
        self.server, self.client = world.add("s1"), world.add("client")
        self.server.start_nginx()
        real, client = (host.addresses[0].split("/")[0] for host in (self.server, self.client))
        self.server.ip("route", "replace", f"{client}/32", "via", VIP)
        world.configure(f"instances:\n  web: {{interface: eth0, vrid: 51, advert_interval: 100ms, priority: {{lb1: 250, lb2: 200}}, addresses: [{VIP}/24]}}\n"
                        f"virtual_servers:\n  web-http:\n    address: {VIP}:80\n    protocol: tcp\n    while_master: web\n    {CHECK}\n"
                        f"    real_servers: {{s1: {{address: {real}}}}}\n{more}")
        for host in self.hosts:
            host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
            host.start_bus()
            host.start_holdfastd()

    def where(self) -> tuple[list[str], list[str]]:
        """Who has the address, and who has the table."""
        return ([host.name for host in self.hosts if host.has(VIP)], [host.name for host in self.hosts if f"{VIP}:80" in table(host)])

    def wait_on(self, name: str):
        wait_for(lambda: self.where() == ([name], [name]), 5, f"address and table on {name} alone")


def test_a_server_is_added_and_removed_while_a_connection_of_another_goes_on(world):
    lab = Balanced(world, servers=3)
    lab.text = lab.text.replace(f", s3: {{address: {lab.servers['s3'].real}}}", "")
    world.configure(lab.text)
    lab.lb.start_holdfastd()
    wait_for(lambda: [r["State"] for r in lab.view()["RealServers"]] == ["up", "up"], 5, "both up")
    talk = Talk(lab.client, lab.lb.directory / "gate")
    lab.lb.ctl("add", "web/s3", lab.servers["s3"].real, "--weight", "3")
    wait_for(lambda: lab.in_table().get(lab.endpoint("s3")) == ("-m", 3), 5, "s3 in the kernel's table")
    assert {get(lab.client) for _ in range(6)} == {"s1", "s2", "s3"}
    assert lab.real("s3")["Origin"] == "runtime"
    assert lab.lb.ctl("remove", "web/s3", "--drain", "--timeout", "1s").strip().endswith("web/s3 is removed")
    assert lab.in_table() == {lab.endpoint("s1"): ("-m", 1), lab.endpoint("s2"): ("-m", 1)}
    assert talk.finish() in ("s1", "s2")


def test_a_service_follows_its_master_and_the_table_comes_before_the_address(world):
    """Two directors, one table at a time."""
    lab = Directors(world)
    lab.wait_on("lb1")
    assert get(lab.client) == "s1"
    lab.hosts[0].ctl("failover", "web")
    lab.wait_on("lb2")
    assert get(lab.client) == "s1"
    states = [json.loads(host.ctl("--json=short", "ipvs"))[0]["State"] for host in lab.hosts]
    assert states == ["standby", "serving"]


def test_connections_are_known_to_the_next_director(world):
    lab = Directors(world, "ipvs: {sync: {interface: eth0, while_master: web, id: 7}}\n")
    lab.wait_on("lb1")
    roles = lambda: [host.run("ipvsadm", "-L", "--daemon").split()[:2] for host in lab.hosts]
    wait_for(lambda: roles() == [["master", "sync"], ["backup", "sync"]], 5, "lb1 to send and lb2 to listen")
    # It lasts over a failover: what the second director was told is all that it knows of it.
    talk = Talk(lab.client, world.directory / "go")
    wait_for(lambda: "ESTABLISHED" in lab.hosts[1].run("ipvsadm", "-Lnc"), 5, "lb2 to know of it")
    lab.hosts[0].ctl("failover", "web")
    lab.wait_on("lb2")
    wait_for(lambda: roles() == [["backup", "sync"], ["master", "sync"]], 5, "the roles to change")
    assert talk.finish() == "s1"


def test_an_instance_follows_the_quorum_of_its_servers(world):
    """The tracker `virtual_server`: a director without servers gives the address to one that has some."""
    lab = Balanced(world, servers=1)
    world.configure(lab.text.replace("instances: {}", "instances: {a: {interface: eth0, vrid: 9, advert_interval: 100ms, addresses: [10.77.0.101/24], "
                                     "track: [pool]}}\ntrackers: {pool: {virtual_server: web}}"))
    lab.lb.start_holdfastd()
    wait_for(lambda: lab.lb.has("10.77.0.101"), 5, "the address")
    lab.servers["s1"].kill_nginx()
    wait_for(lambda: not lab.lb.has("10.77.0.101"), 5, "the address to leave")
    assert "it has no quorum" in lab.lb.ctl("status")
    lab.servers["s1"].start_nginx()
    wait_for(lambda: lab.lb.has("10.77.0.101"), 5, "the address again")


def test_the_kernels_timeouts_are_set_and_put_back(world):
    lab = Balanced(world, servers=1)
    before = lab.lb.run("ipvsadm", "-L", "--timeout")
    world.configure(lab.text + "ipvs: {timeouts: {tcp: 1h, udp: 90s}}\n")
    lab.lb.start_holdfastd()
    wait_for(lambda: lab.lb.run("ipvsadm", "-L", "--timeout").split()[-3:] == ["3600", "120", "90"], 5, "the timeouts")
    lab.lb.holdfastd.kill(15)
    assert lab.lb.holdfastd.wait() == 0
    assert lab.lb.run("ipvsadm", "-L", "--timeout") == before


def test_marks_and_ranges_are_services_too(world):
    lab = Balanced(world, servers=1)
    real = lab.servers["s1"].real
    world.configure(f"instances: {{}}\nvirtual_servers:\n  marked: {{mark: 7, protocol: tcp, check: {{tcp: {{}}, connect_port: 80}}, real_servers: {{s1: {{address: {real}}}}}}}\n"
                    f"  many: {{address: 10.77.0.100-10.77.0.102:80, protocol: tcp, {CHECK}, real_servers: {{s1: {{address: {real}, weight: 4}}}}}}\n")
    lab.lb.start_holdfastd()
    wait_for(lambda: table(lab.lb) == {"7": {f"{real}:0": ("-m", 1)}, **{f"10.77.0.{n}:80": {f"{real}:80": ("-m", 4)} for n in (100, 101, 102)}},
             5, "four services")
