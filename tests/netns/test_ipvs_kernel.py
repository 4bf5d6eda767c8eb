"""The load balancer's thread against a real kernel: what it programs is what ipvsadm(8) programs and shows, entry by entry.

`holdfast-ipvs-tool` (tests/bench/ipvs_tool.cpp) speaks ipvsadm's words, so one text is programmed by both, each in a
namespace of its own, and read back by both."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import pathlib
import re
import subprocess

import pytest
from world import BUILD, run, wait_for

SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"]
pytestmark = pytest.mark.kernel("ip_vs", "ip_vs_pe_sip", *(f"ip_vs_{name}" for name in SCHEDULERS))

TWO = "-a {0} -r 10.77.0.21:80 -m -w 1\n-a {0} -r 10.77.0.22:8080 -m -w 0"
TABLES = {
    "schedulers": "\n".join(f"-A -t 10.77.1.{i}:80 -s {name}\n" + TWO.format(f"-t 10.77.1.{i}:80")
                            for i, name in enumerate(SCHEDULERS)),
    "flags": "-A -t 10.77.1.1:80 -s sh -b flag-1\n-A -t 10.77.1.1:81 -s sh -b flag-2\n-A -t 10.77.1.1:82 -s mh -b flag-1,flag-2\n"
             "-A -t 10.77.1.1:83 -s rr -b flag-1,flag-2,flag-3\n-A -u 10.77.1.1:84 -s rr -o",
    "persistence": "-A -t 10.77.1.1:80 -s rr -p 300\n-A -t 10.77.1.1:81 -s rr -p 1 -M 255.255.255.0\n"
                   "-A -t 10.77.1.1:0 -s rr -p 86400 -M 255.0.0.0\n-A -u 10.77.1.1:5060 -s rr -p 60 --pe sip -o\n"
                   "-A -t [fd77::10]:80 -s rr -p 300\n-A -t [fd77::10]:81 -s rr -p 300 -M 64",
    "protocols": "-A -t 10.77.1.1:80 -s rr\n-A -u 10.77.1.1:80 -s rr\n-A --sctp-service 10.77.1.1:80 -s rr",
    "marks": "-A -f 7 -s rr\n-a -f 7 -r 10.77.0.21:0 -g -w 1\n-A -f 2147483647 -s rr -p 60\n"
             "-A -f 7 -6 -s wrr\n-a -f 7 -6 -r [fd77::21]:0 -g -w 2",
    "methods": "-A -t 10.77.1.1:80 -s rr\n" + "\n".join(
        f"-a -t 10.77.1.1:80 -r 10.77.0.{21 + i}:80 {method} -w {i}" for i, method in enumerate(
            ["-m", "-g", "-i --tun-type ipip", "-i --tun-type gue --tun-port 6080 --tun-nocsum",
             "-i --tun-type gue --tun-port 6081 --tun-csum", "-i --tun-type gue --tun-port 65535 --tun-remcsum",
             "-i --tun-type gre --tun-nocsum", "-i --tun-type gre --tun-csum"])),
    "thresholds": "-A -t 10.77.1.1:80 -s rr\n-a -t 10.77.1.1:80 -r 10.77.0.21:80 -m -w 65535 -x 1000 -y 900\n"
                  "-a -t 10.77.1.1:80 -r 10.77.0.22:80 -m -w 100 -x 2147483647",
    "ipv6": "-A -t [fd77::10]:443 -s wlc\n-a -t [fd77::10]:443 -r [fd77::21]:443 -m -w 1\n"
            "-a -t [fd77::10]:443 -r [fd77::22]:443 -g -w 1\n-A -u [fd77::10]:53 -s rr -o\n"
            "-a -u [fd77::10]:53 -r [fd77::21]:5353 -m -w 1",
    "both families": "-A -t 10.77.1.1:80 -s rr\n-a -t 10.77.1.1:80 -r [fd77::21]:80 -i --tun-type ipip -w 1\n"
                     "-a -t 10.77.1.1:80 -r 10.77.0.21:80 -i --tun-type ipip -w 1\n"
                     "-A -t [fd77::10]:80 -s rr\n-a -t [fd77::10]:80 -r 10.77.0.21:80 -i --tun-type ipip -w 1",
}


class Tool:
    """holdfast-ipvs-tool in a host's namespace; one thread of the kernel's table as long as it lives."""

    def __init__(self, host, *prefix: str):
        self.process = subprocess.Popen(["ip", "netns", "exec", host.namespace, *prefix, BUILD / "tests/bench/holdfast-ipvs-tool"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        host.world.undo(self.close)

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(10)

    def ask(self, text: str) -> list[str]:
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()) != "\n":
            assert line, f"the tool ended with {self.process.wait(10)}"
            lines.append(line.rstrip())
        return lines

    def program(self, text: str) -> list[str]:
        """What failed."""
        return [line for line in self.ask(f"{text}\ngo") if not line.startswith("done")]

    def save(self) -> list[str]:
        return self.ask("save")

    def state(self) -> list[str]:
        return [line for line in self.ask("state") if not line.startswith("listed")]


def canonical(lines) -> list[dict[str, str]]:
    """Lines of ipvsadm's words as options with values, whatever their order is."""
    result = []
    for line in lines:
        options = {}
        for option, value in re.findall(r"(-\S+)((?: [^-\s]\S*)*)", line.strip()):
            options[option] = value.strip()
        flags = re.sub("[sm]h-port", "flag-2", re.sub("[sm]h-fallback", "flag-1", options.pop("-b", "")))
        if flags:
            options["-b"] = ",".join(sorted(flags.split(",")))
        if "." in options.get("-M", ""):
            options["-M"] = str(ipaddress.ip_network(f"0.0.0.0/{options['-M']}").prefixlen)
        if options.get("--tun-type") == "ipip" or "-i" in options and "--tun-type" not in options:
            options["--tun-type"] = "ipip"
            options.pop("--tun-nocsum", None)
        result.append(options)
    return sorted(result, key=str)


@pytest.fixture
def host(world):
    return world.add("lb1")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_what_ipvsadm_makes_of_it(world, host, name):
    text = TABLES[name]
    tool = Tool(host)
    assert tool.program(text) == []
    mine = host.run("ipvsadm", "-Sn").splitlines()
    assert canonical(mine) == canonical(re.sub(" -[xy] [0-9]+", "", text).splitlines())  # it shows thresholds elsewhere
    assert canonical(tool.save()) == canonical(text.splitlines())
    other = world.add("lb2")
    rules = world.directory / "rules"
    rules.write_text(text + "\n")
    other.run("sh", "-c", f"ipvsadm -R < {rules}")
    assert other.run("ipvsadm", "-Sn") == host.run("ipvsadm", "-Sn")
    for view in ((), ("--persistent-conn",), ("--thresholds",), ("--tun-info",)):
        assert other.run("ipvsadm", "-Ln", *view) == host.run("ipvsadm", "-Ln", *view)
    assert Tool(other).save() == tool.save()


def test_failures_are_told_as_they_are_and_the_rest_is_done(host):
    tool = Tool(host)
    service, destination = "-t 10.77.1.1:80", "-t 10.77.1.1:80 -r 10.77.0.21:80"
    assert tool.program(f"-A {service} -s rr\n-A {service} -s wrr\n-E -t 10.77.1.2:80 -s rr\n-D -t 10.77.1.2:80\n"
                        f"-a {destination} -m\n-a {destination} -m -w 5\n-d {service} -r 10.77.0.22:80\n"
                        f"-e {service} -r 10.77.0.22:80 -m\n-a -t 10.77.1.2:80 -r 10.77.0.21:80 -m\n"
                        f"-A -t 10.77.1.3:80 -s twos\n-A -t 10.77.1.4:80 -s rr --pe pop\n"
                        f"-a {service} -r [fd77::21]:80 -m") == [
        "failed 1 EEXIST", "failed 2 ESRCH", "failed 3 ESRCH", "failed 5 EEXIST", "failed 6 ENOENT", "failed 7 ENOENT",
        "failed 8 ESRCH", "failed 9 ENOENT", "failed 10 ENOENT", "failed 11 EINVAL"]
    assert tool.save() == ["-A -t 10.77.1.1:80 -s rr", "-a -t 10.77.1.1:80 -r 10.77.0.21:80 -m -w 1"]
    assert tool.program(f"-d {destination}\n-D {service}") == []
    assert host.run("ipvsadm", "-Sn") == ""


def test_a_big_table_is_whole_and_each_failure_is_its_own(host):
    """Many sends, many datagrams of a dump, and the step that failed is the one that is named."""
    tool = Tool(host)
    steps, failures = [], []
    for i in range(150):
        service = f"-t 10.77.{i}.1:80"
        steps += [f"-A {service} -s rr", *(f"-a {service} -r 10.78.{i}.{j}:80 -m -w {j}" for j in range(1, 6))]
        failures.append(f"failed {len(steps)} EEXIST")
        steps.append(f"-A {service} -s rr")
    steps += ["-A -t 10.79.0.1:80 -s rr", *(f"-a -t 10.79.0.1:80 -r 10.80.{i // 250}.{i % 250}:80 -m -w 1" for i in range(700))]
    assert tool.program("\n".join(steps)) == failures
    wanted = canonical(dict.fromkeys(steps))
    assert canonical(tool.save()) == wanted
    assert canonical(host.run("ipvsadm", "-Sn").splitlines()) == wanted


ECHO = """
import socket
server = socket.create_server(("10.77.0.1", 8080))
while True:
    peer, _ = server.accept()
    while data := peer.recv(100):
        peer.sendall(data)
"""
CLIENT = """
import socket, sys
connection = socket.create_connection(("10.77.0.100", 80), timeout=5)
for line in sys.stdin:
    connection.sendall(line.encode())
    print(connection.recv(100).decode(), end="", flush=True)
"""


def test_a_change_in_place_leaves_connections_and_counters(world, host):
    host.ip("address", "add", "10.77.0.100/32", "dev", "lo")
    tool, service = Tool(host), "-t 10.77.0.100:80"
    destination = f"{service} -r 10.77.0.1:8080"
    assert tool.program(f"-A {service} -s rr -p 300\n-a {destination} -m -w 1") == []
    host.spawn("echo", "/usr/bin/python3", "-c", ECHO)
    wait_for(lambda: ":8080" in host.run("ss", "-Hltn"), 10, "the server")
    client = subprocess.Popen(["ip", "netns", "exec", world.add("client").namespace, "/usr/bin/python3", "-c", CLIENT],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        say = lambda text: (client.stdin.write(text + "\n"), client.stdin.flush(), client.stdout.readline().strip())[2]
        assert say("before") == "before"
        # The kernel sums its counters up every two seconds. 4 packets there at least: SYN, ACK, data, ACK.
        counted = lambda: [int(n) for n in re.search(r"connections 1 0 1 1 (\d+) (\d+) (\d+) (\d+)",
                                                     "\n".join(tool.state())).groups()]
        wait_for(lambda: "connections 1 0 1 1 4" in "\n".join(tool.state()), 10, "the connection to be counted", every=0.1)
        before = counted()
        assert tool.program(f"-E {service} -s wlc -p 200\n-e {destination} -m -w 7 -x 100 -y 50") == []
        assert tool.save() == [f"-A {service} -s wlc -p 200", f"-a {destination} -m -w 7 -x 100 -y 50"]
        assert counted() == before
        assert say("after") == "after"
        assert tool.program(f"-e {destination} -m -w 0") == []
        assert say("drained") == "drained"
        wait_for(lambda: counted()[0] > before[0] and counted()[3] > before[3], 10, "the later packets to be counted", every=0.1)
        columns = host.run("ipvsadm", "-Ln", "--stats", "--exact", *service.split()).splitlines()[-1].split()
        assert [int(n) for n in columns[2:]] == [1, *counted()]
    finally:
        client.kill()
        client.wait()


def test_timeouts_are_set_and_read(host):
    tool = Tool(host)
    assert tool.state() == ["timeouts 900 120 300"]
    assert tool.program("--set 800 0 200") == []
    assert tool.state() == ["timeouts 800 120 200"]
    assert host.run("ipvsadm", "-L", "--timeout").strip() == "Timeout (tcp tcpfin udp): 800 120 200"


def daemons(host) -> list[str]:
    return [line.strip() for line in host.run("ipvsadm", "-L", "--daemon").splitlines()]


def test_the_synchronisation_daemons_start_and_stop(host):
    tool = Tool(host)
    backup = "--start-daemon backup --mcast-interface eth0 --syncid 51"
    master = ("--start-daemon master --mcast-interface eth0 --syncid 52 --sync-maxlen 1400 --mcast-group 224.0.0.82 "
              "--mcast-port 8849 --mcast-ttl 3")
    assert tool.program(backup) == []
    assert tool.state()[:-1] == ["backup eth0 51 1472 8848 1 224.0.0.81"]
    assert daemons(host) == ["backup sync daemon (mcast=eth0, syncid=51, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)"]
    assert tool.program(f"{backup}\n{master}") == ["failed 0 EEXIST"]
    assert tool.state()[:-1] == ["master eth0 52 1400 8849 3 224.0.0.82", "backup eth0 51 1472 8848 1 224.0.0.81"]
    assert daemons(host)[0] == "master sync daemon (mcast=eth0, syncid=52, maxlen=1400, group=224.0.0.82, port=8849, ttl=3)"
    assert tool.program("--stop-daemon backup\n--stop-daemon backup\n--stop-daemon master") == ["failed 1 ESRCH"]
    assert daemons(host) == [] and tool.state()[:-1] == []
    assert tool.program("--start-daemon master --mcast-interface eth0 --syncid 1 --mcast-group ff02::82") == []
    assert tool.state()[:-1] == ["master eth0 1 1452 8848 1 ff02::82"]
    assert daemons(host) == ["master sync daemon (mcast=eth0, syncid=1, maxlen=1452, group=ff02::82, port=8848, ttl=1)"]
    assert tool.program("--start-daemon backup --mcast-interface nowhere --syncid 1") == ["failed 0 ENODEV"]


def test_without_the_capability_every_answer_says_so(host):
    tool = Tool(host, "setpriv", "--reuid=65534", "--clear-groups")
    assert tool.save() == ["error EPERM"]
    assert tool.program("-A -t 10.77.1.1:80 -s rr\n--set 1 1 1") == ["failed 0 EPERM", "failed 1 EPERM"]
    assert Tool(host).save() == []


only_in_the_machine = pytest.mark.skipif(not os.environ.get("HOLDFAST_VM"), reason="it unloads ip_vs: the suite vm runs it")


def unload():
    """The services and connections of namespaces that go hold it a little longer."""
    def gone():
        loaded = [line.split()[0] for line in pathlib.Path("/proc/modules").read_text().splitlines()]
        mine = sorted((name for name in loaded if name.startswith("ip_vs")), reverse=True)
        return not mine or bool(run("sh", "-c", f"modprobe -r {' '.join(mine)} 2>&1 || true") and None)
    wait_for(gone, 90, "ip_vs to go", every=0.2)


@only_in_the_machine
def test_a_missing_module_is_told_and_the_kernel_asked_once_each_time(world, host):
    program, log = world.directory / "modprobe", world.directory / "asked"
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    program.chmod(0o755)
    switch = pathlib.Path("/proc/sys/kernel/modprobe")
    usual = switch.read_text()
    tool = Tool(host)
    assert tool.program("-A -t 10.77.1.1:80 -s rr") == []
    host.run("ipvsadm", "-C")
    unload()
    try:
        switch.write_text(str(program))
        assert tool.save() == ["error ENOENT"]
        assert tool.program("-A -t 10.77.1.1:80 -s rr\n--set 1 1 1") == ["failed 0 ENOENT", "failed 1 ENOENT"]
        assert [line.split()[-1] for line in log.read_text().splitlines()] == ["net-pf-16-proto-16-family-IPVS"] * 2
    finally:
        switch.write_text(usual)
    assert tool.save() == []  # the kernel could load it
    assert tool.program("-A -t 10.77.1.1:80 -s rr") == []
    assert host.run("ipvsadm", "-Sn").strip() == "-A -t 10.77.1.1:80 -s rr"


@only_in_the_machine
def test_a_module_that_was_loaded_anew_is_found_again(host):
    tool = Tool(host)
    text = "-A -t 10.77.1.1:80 -s rr\n-a -t 10.77.1.1:80 -r 10.77.0.21:80 -m -w 1"
    assert tool.program(text) == []
    host.run("ipvsadm", "-C")
    unload()
    run("modprobe", "ip_vs")
    assert tool.program(text) == []
    assert tool.save() == text.splitlines()
    host.run("ipvsadm", "-C")
    unload()
    run("modprobe", "ip_vs")
    assert tool.save() == []
