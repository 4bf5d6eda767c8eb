"""Inside the machine of machine_sidecar.py: holdfast's container on a host's network, between a client and two real servers.

The host is the machine itself, with its systemd, podman and kernel; client and real servers are namespaces on a switch. The tests are
the acts of one play, in the order of this file: each begins where the one before has ended."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import socket
import struct
import threading

import commands
import pytest
from test_balancer import table
from world import Host, World, run, wait_for

VIP = "10.77.0.100"
SERVERS = ("s1", "s2")
OBJECT = "/org/holdfast1/virtual_server/shop"
# Adverts to nobody: this host is the only one. The services follow it.
CONFIG = """
defaults: {{interface: eth0}}
instances:
  web: {{vrid: 51, priority: 250, addresses: [{vip}/24]}}
virtual_servers:
  shop:
    address: {vip}:80
    protocol: tcp
    scheduler: rr
    forwarding: nat
    while_master: web
    check: {{http: /, interval: 500ms, timeout: 400ms, retry: 1, retry_delay: 100ms}}
    real_servers: {{{servers}}}
"""
# A kernel without ip_vs, and then one that loads it for nobody who asks for its netlink family: modules-load.d has to.
HIDDEN = pathlib.Path("/etc/modprobe.d/hidden.conf")
NOT_ASKED_FOR = "install net-pf-16-proto-16-family-IPVS /bin/false\n"
MISSING = NOT_ASKED_FOR + "install ip_vs /bin/false\n"

# A connection for each of so many requests; who answered, one a line.
REQUESTS = f"""
import http.client, sys
for _ in range(int(sys.argv[1])):
    server = http.client.HTTPConnection("{VIP}", timeout=3)
    server.request("GET", "/")
    print(server.getresponse().read().decode().strip())
    server.close()
"""
# One connection that never ends: when each answer came, and whose it was. It does not connect a second time.
CONVERSATION = f"""
import http.client, time
server = http.client.HTTPConnection("{VIP}", timeout=5)
server.connect()
server.auto_open = 0
while True:
    server.request("GET", "/")
    print(server.getresponse().read().decode().strip(), time.monotonic(), flush=True)
    time.sleep(0.05)
"""
RTMGRP_IPV4_IFADDR, RTM_DELADDR = 0x10, 21  # linux/rtnetlink.h
LONGEST_SILENCE = 1.0  # seconds between two answers of the open connection, on a machine of one slow processor


class Machine(Host):
    """The machine itself, with a cable into the switch."""

    def _make_namespace(self):
        run("ip", "netns", "attach", self.namespace, "1")
        self.world.undo(lambda: run("ip", "netns", "del", self.namespace, check=False))  # the name alone


class Watch(threading.Thread):
    """What changes until it is stopped: each other state of the kernel's table, read every 10 ms, and each removal of the address, of
    which the kernel tells."""

    def __init__(self):
        super().__init__(daemon=True)
        self.tables = [self.look()]
        self.over = threading.Event()
        self.told = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        self.told.bind((0, RTMGRP_IPV4_IFADDR))
        self.start()

    @staticmethod
    def look() -> list[str]:
        """Services, and real servers with forwarding and weight."""
        lines = [line.split() for line in pathlib.Path("/proc/net/ip_vs").read_text().splitlines()[3:]]
        return [" ".join(words[1:4] if words[0] == "->" else words) for words in lines]

    def run(self):
        while not self.over.wait(0.01):
            if (now := self.look()) != self.tables[-1]:
                self.tables.append(now)

    def stop(self) -> list[str]:
        """The changes, in words."""
        self.over.set()
        self.join()
        changes = [f"the table was {before}, then {after}" for before, after in zip(self.tables, self.tables[1:])]
        with self.told, contextlib.suppress(BlockingIOError):
            while message := self.told.recv(65536):
                if struct.unpack_from("=IH", message)[1] == RTM_DELADDR and socket.inet_aton(VIP) in message:
                    changes.append(f"{VIP} was removed")
        return changes


class Lab:
    def __init__(self, world: World):
        self.client = world.add("client")
        self.servers = {name: world.add(name) for name in SERVERS}
        # The last: Linux 6.1 makes no eth0 for another namespace from one that has an eth0.
        self.host = world.hosts["lb1"] = Machine(world, "lb1", len(world.hosts) + 1)
        self.connections = 0  # made to the address so far
        self.conversations = 0
        address = lambda host: host.addresses[0].split("/")[0]
        for server in self.servers.values():
            server.start_nginx()
            # Answers go back through the director, which undoes the NAT.
            server.ip("route", "replace", f"{address(self.client)}/32", "via", address(self.host))
        self.host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
        self.whole = {f"{address(server)}:80": ("-m", 1) for server in self.servers.values()}
        self.endpoint = {name: f"{address(server)}:80" for name, server in self.servers.items()}
        pathlib.Path("/etc/holdfast").mkdir(exist_ok=True)
        reals = ", ".join(f"{name}: {{address: {address(server)}}}" for name, server in self.servers.items())
        pathlib.Path("/etc/holdfast/holdfast.yaml").write_text(CONFIG.format(vip=VIP, servers=reals))

    # ---- what the host sees ------------------------------------------------------------------------------------------

    def unit(self, name: str) -> str:
        return run("systemctl", "show", "-P", name, "holdfast").strip()

    def property_of(self, name: str, path: str = OBJECT, interface: str = "VirtualServer"):
        said = run("busctl", "--json=short", "get-property", "org.holdfast1", path, f"org.holdfast1.{interface}", name, check=False)
        return json.loads(said)["data"] if said else None

    def state(self) -> str | None:
        return self.property_of("State", "/org/holdfast1/instance/web", "Instance")

    def table(self) -> dict[str, tuple[str, int]]:
        """The kernel's, of the host's network."""
        return table(self.host).get(f"{VIP}:80", {})

    def container(self) -> dict:
        return json.loads(run("podman", "container", "inspect", "holdfast"))[0]

    # ---- what the client sees ----------------------------------------------------------------------------------------

    def answers(self, requests: int = 6) -> set[str]:
        self.connections += requests
        return set(self.client.run("/usr/bin/python3", "-c", REQUESTS, str(requests)).split())

    def counted(self) -> int:
        """The connections that the kernel has counted since the service was made; it adds up every 2 s."""
        lines = run("ipvsadm", "-Ln", "--stats", "--exact").splitlines()
        return next((int(line.split()[2]) for line in lines if line.split()[1:2] == [f"{VIP}:80"]), 0)

    def all_counted(self) -> bool:
        try:
            return wait_for(lambda: self.counted() == self.connections, 5, "the counter", every=0.2)
        except TimeoutError:
            return False

    @contextlib.contextmanager
    def undisturbed(self):
        """Table, address and an open connection are left alone meanwhile."""
        self.conversations += 1
        name = f"conversation{self.conversations}"
        process = self.client.spawn(name, "/usr/bin/python3", "-c", CONVERSATION)
        self.connections += 1
        answers = lambda: [line.split() for line in self.client.log(name).splitlines()]
        wait_for(lambda: len(answers()) > 3, 5, "the open connection's first answers", every=0.1)
        if not self.all_counted():
            self.connections = self.counted()  # an act before this one has said why
        watch = Watch()
        try:
            yield
            wait_for(lambda: self.state() == "master" and self.property_of("State") == "serving", 10, "the next holdfast to serve", every=0.2)
            after = len(answers()) + 5
            wait_for(lambda: len(answers()) > after or not process.alive(), 5, "more answers on the open connection", every=0.1)
        finally:
            changes = watch.stop()
            alive = process.alive()
            process.end()
        assert not changes, "; ".join(changes)
        assert alive, f"the open connection broke: {self.client.log(name)[-300:]}"
        assert self.all_counted(), f"{self.counted()} of {self.connections} connections are counted: the service was removed and made again"
        times = [float(moment) for _, moment in answers()]
        silence = max(later - earlier for earlier, later in zip(times, times[1:]))
        print(f"{len(times)} answers on one connection, the longest silence was {silence:.2f} s")
        assert len({who for who, _ in answers()}) == 1, "one connection, answered by more than one server"
        assert silence < LONGEST_SILENCE, f"the open connection was silent for {silence:.1f} s"


@pytest.fixture(scope="module")
def lab(request):
    with World("hf") as world:
        yield Lab(world)
        if request.session.testsfailed:
            print(run("journalctl", "--no-pager", "-o", "short-monotonic", "-n", "80", "-t", "systemd", "-t", "holdfastd", "-t", "holdfast"),
                  run("podman", "ps", "-a", check=False))


def test_a_host_without_ip_vs_is_set_up_by_the_pages_command(lab):
    HIDDEN.write_text(MISSING)
    said = run(*commands.set_up(pod=False))
    assert "this kernel has no ip_vs" in said
    assert "ip_vs" in pathlib.Path("/etc/modules-load.d/holdfast.conf").read_text().split()
    assert lab.unit("SourcePath") == "/etc/containers/systemd/holdfast.container"


def test_without_ip_vs_it_is_ready_and_vrrp_runs_and_the_virtual_server_is_degraded_for_want_of_the_module(lab):
    run("systemctl", "start", "holdfast")  # ends with READY=1
    assert lab.unit("ActiveState") == "active"
    wait_for(lambda: lab.state() == "master" and lab.host.has(VIP), 10, "the instance to be master, with its address", every=0.2)
    wait_for(lambda: lab.property_of("State") == "degraded", 5, "the virtual server to be degraded", every=0.2)
    assert "modprobe ip_vs" in lab.property_of("Problem")
    said = run("holdfastctl", "ipvs")
    assert "degraded" in said and "modprobe ip_vs" in said
    status = run("holdfastctl", "status")
    assert "degraded" in status and "modprobe ip_vs" in status
    assert "modprobe ip_vs" in lab.unit("StatusText")
    assert "modprobe ip_vs" in run("holdfastctl", "health", check=False)
    run("podman", "healthcheck", "run", "holdfast")  # for want of a module nobody kills the container
    assert not pathlib.Path("/sys/module/ip_vs").exists()


def test_with_ip_vs_from_modules_load_the_container_programs_the_hosts_table(lab):
    HIDDEN.write_text(NOT_ASKED_FOR)
    run("systemctl", "restart", "systemd-modules-load")  # as at the next boot
    assert pathlib.Path("/sys/module/ip_vs").exists()
    wait_for(lambda: lab.table() == lab.whole, 10, f"{lab.whole} in the kernel's table", every=0.2)
    assert lab.property_of("State") == "serving" and lab.property_of("Problem") == ""
    process = pathlib.Path("/proc", str(lab.container()["State"]["Pid"]))
    assert (process / "comm").read_text().strip() == "holdfastd"
    assert os.readlink(process / "ns/net") == os.readlink("/proc/1/ns/net"), "the container is on another network than the host"
    assert os.readlink(process / "ns/mnt") != os.readlink("/proc/1/ns/mnt"), "it is no container"


def test_clients_are_answered_by_both_real_servers(lab):
    assert lab.answers() == set(SERVERS)


def test_a_real_server_that_dies_leaves_the_table_and_comes_back(lab):
    state = lambda: lab.property_of("State", f"{OBJECT}/real_server/s1", "RealServer")
    lab.servers["s1"].kill_nginx()
    wait_for(lambda: lab.table() == {lab.endpoint["s2"]: ("-m", 1)}, 5, "s1 out of the table", every=0.1)
    assert state() == "down"
    assert lab.answers() == {"s2"}
    lab.servers["s1"].start_nginx()
    wait_for(lambda: lab.table() == lab.whole, 5, "s1 in the table again", every=0.1)
    assert state() == "up"
    assert lab.answers() == set(SERVERS)


def test_the_host_sees_it_by_holdfastctl_and_on_its_bus_and_in_its_journal(lab):
    server, = json.loads(run("holdfastctl", "--json=short", "ipvs"))
    assert (server["Name"], server["State"], server["WhileMaster"]) == ("shop", "serving", "web")
    assert {real["Name"]: (real["State"], real["InTable"]) for real in server["RealServers"]} == {name: ("up", True) for name in SERVERS}
    flows = [json.loads(line) for line in run("holdfastctl", "connections", "shop", "--json=short").splitlines()]
    assert {flow["Name"] for flow in flows} == {f"shop/{name}" for name in SERVERS}
    tree = run("busctl", "tree", "--list", "org.holdfast1").split()
    assert {f"{OBJECT}/real_server/{name}" for name in SERVERS} <= set(tree)
    assert lab.property_of("Services") == [f"tcp {VIP}:80"]
    assert run("journalctl", "-u", "holdfast", "-o", "cat", "--no-pager", "--grep", "shop/s1 is down").strip()


def test_a_restart_leaves_the_table_and_an_open_connection_alone(lab):
    before = lab.unit("InvocationID"), lab.container()["Id"]
    with lab.undisturbed():
        run("systemctl", "restart", "holdfast")
    assert lab.unit("ActiveState") == "active"
    after = lab.unit("InvocationID"), lab.container()["Id"]
    assert before[0] != after[0] and before[1] != after[1], "it is the same container as before"


def test_a_killed_container_leaves_the_table_and_an_open_connection_alone(lab):
    restarts = int(lab.unit("NRestarts"))
    with lab.undisturbed():
        run("podman", "kill", "holdfast")
        wait_for(lambda: int(lab.unit("NRestarts")) == restarts + 1 and lab.unit("ActiveState") == "active", 15, "systemd to start it again", every=0.1)


def test_the_next_container_goes_on_checking(lab):
    """What it took over is its own: a server that dies leaves the table."""
    lab.servers["s2"].kill_nginx()
    wait_for(lambda: lab.table() == {lab.endpoint["s1"]: ("-m", 1)}, 5, "s2 out of the table", every=0.1)
    assert lab.answers(3) == {"s1"}


def test_a_stop_takes_address_and_table_along(lab):
    run("systemctl", "stop", "holdfast")
    assert lab.unit("ActiveState") == "inactive"
    assert not lab.host.has(VIP)
    assert table(lab.host) == {}
