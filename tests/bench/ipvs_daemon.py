"""The whole daemon on a kernel with ip_vs, beside keepalived: a table from nothing, a reload at 10,000 real servers, what a check
costs, and how soon a verdict is in the kernel. In the virtual machine, whose clock counts instructions: only ratios say something.

    sudo ./dev bench ipvs
"""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest
from figures import lateness, median
from pair import Pair, cpu_ns, many
from rows_objects import SERVERS, SERVICES
from world import BUILD, World, now, run, wait_for

TABLES = {"1,000 services of 10": (1000, 10), "10 services of 1,000": (10, 1000)}


@pytest.fixture(autouse=True)
def modules():
    run("modprobe", "-a", "ip_vs_wrr", "ip_vs_rr")


def keepalived_servers(services: int, servers: int, more: str = "") -> str:
    """The table of holdfast_servers, in keepalived's words."""
    lines = [more]
    for i in range(services):
        lines.append(f"virtual_server 10.{100 + i // 250}.{i % 250}.1 80 {{\n delay_loop 60\n lvs_sched wrr\n lvs_method NAT\n protocol TCP")
        for j in range(servers):
            lines.append(f" real_server 10.{i // 250 + j // 250 + 1}.{i % 250}.{j % 250 + 1} 80 {{\n weight 1\n }}")
        lines.append("}")
    return "\n".join(lines) + "\n"


def holdfast_servers(services: int, servers: int, more: str = "") -> str:
    lines = ["virtual_servers:" + more]
    for i in range(services):
        lines.append(f"  s{i}:\n    address: 10.{100 + i // 250}.{i % 250}.1:80\n    protocol: tcp\n    scheduler: wrr\n    real_servers:")
        lines += [f"      r{j}: {{address: 10.{i // 250 + j // 250 + 1}.{i % 250}.{j % 250 + 1}:80}}" for j in range(servers)]
    return "\n".join(lines) + "\n"


def keepalived_one(weight: int) -> str:
    return ("virtual_server 10.99.0.1 80 {\n delay_loop 60\n lvs_sched wrr\n lvs_method NAT\n protocol TCP\n"
            f" real_server 10.98.0.1 80 {{\n weight {weight}\n }}\n}}")


def holdfast_one(weight: int) -> str:
    return ("\n  one:\n    address: 10.99.0.1:80\n    protocol: tcp\n    scheduler: wrr\n"
            f"    real_servers: {{r: {{address: 10.98.0.1:80, weight: {weight}}}}}")


# What looks at the table costs the only processor time too, so it looks seldom, or at one small service: it prints when it saw
# (CLOCK_MONOTONIC). `lines`: /proc/net/ip_vs has so many destinations. `weight`: that of the only server of 10.99.0.1:80, asked of
# the kernel by generic netlink (linux/ip_vs.h: IPVS_CMD_GET_DEST; the weight is attribute 4 of a destination).
LOOK = """
import socket, struct, sys, time
what, wanted = sys.argv[1], int(sys.argv[2])
attribute = lambda kind, data: struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
def ask(family, flags, command, version, data):
    s.send(struct.pack("IHHIIBBH", 20 + len(data), family, flags | 1, 1, 0, command, version, 0) + data)
    return s.recv(65536)
if what == "weight":
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    answer = ask(16, 0, 3, 1, attribute(2, b"IPVS\\0"))
    family, = struct.unpack_from("H", answer, answer.index(struct.pack("HH", 6, 1)) + 4)
    service = attribute(0x8001, attribute(1, struct.pack("H", 2)) + attribute(2, struct.pack("H", 6)) +
                        attribute(3, socket.inet_aton("10.99.0.1") + bytes(12)) + attribute(4, struct.pack("!H", 80)))
    def there():
        answer = ask(family, 0x300, 8, 1, service)
        s.recv(65536)
        return attribute(4, struct.pack("I", wanted)) in answer
else:
    there = lambda: open("/proc/net/ip_vs").read().count("->") - 1 >= wanted
print("ready", flush=True)
while not there(): time.sleep(0.001 if what == "weight" else 0.4)
print(time.clock_gettime_ns(time.CLOCK_MONOTONIC), flush=True)
"""


class Look:
    def __init__(self, host, what: str, wanted: int):
        self.process = subprocess.Popen(["ip", "netns", "exec", host.namespace, "/usr/bin/python3", "-c", LOOK, what, str(wanted)],
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def seen(self) -> float:
        return int(self.process.communicate(timeout=120)[0]) / 1e9


def tree(pid: int) -> list[int]:
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in tree(int(child)))]


@pytest.mark.parametrize("name", TABLES)
def test_a_daemon_from_exec_to_the_whole_table(name):
    services, servers = TABLES[name]
    took = {}
    with World("hfbench") as world:
        host = world.add("lb1")
        look = Look(host, "lines", services * servers)
        began = now()
        daemon = host.start_keepalived(keepalived_servers(services, servers), "-C")
        took["keepalived"] = look.seen() - began
        daemon.end()
        host.run("ipvsadm", "-C")
        world.configure("instances: {}\n" + holdfast_servers(services, servers))
        look = Look(host, "lines", services * servers)
        began = now()
        host.start_holdfastd()
        took["holdfast"] = look.seen() - began
    print(f"\n{name}, exec to the whole table: keepalived {took['keepalived']:.2f} s, holdfast {took['holdfast']:.2f} s: "
          f"{took['holdfast'] / took['keepalived']:.2f} of it")


def test_reloads_at_ten_thousand_real_servers():
    interval, total, rounds = 0.1, SERVICES * SERVERS, 3
    vrrp = many(interval, 10).holdfast()
    with Pair("holdfast", "holdfast", many(interval, 10), start=False) as pair:
        def configure(weight: int):
            pair.world.configure(vrrp + holdfast_servers(SERVICES, SERVERS, holdfast_one(weight)))
        configure(1)
        whole = Look(pair.lb1, "lines", total)
        pair.first.start()
        whole.seen()
        pair.settled(10)
        pid = pair.first.process().pid
        time.sleep(2)
        began, same, one, parse = now(), [], [], []

        def read_in() -> float:
            """Of the last reload, by the daemon's own note: in the kernel's table is what comes behind it."""
            number, unit = re.findall(r"loaded, read in ([\d.]+)(m?s)$", pair.lb1.log("holdfastd"), re.MULTILINE)[-1]
            return float(number) / (1e3 if unit == "ms" else 1)
        for i in range(rounds):
            before = cpu_ns([pid])
            pair.first.reload()
            same.append((cpu_ns([pid]) - before) / 1e9)
            configure(2 + i)
            look = Look(pair.lb1, "weight", 2 + i)
            asked = now()
            os.kill(pid, signal.SIGHUP)
            one.append(look.seen() - asked)
            parse.append(read_in())
        adverts = pair.tap.since(began)
        late = [each for vrid in range(1, 11)
                for each in lateness([a.time for a in adverts if a.host == "lb1" and a.vrid == vrid and a.priority > 0], interval)]
    with World("hfbench") as world:
        host = world.add("lb1")
        look = Look(host, "lines", total)
        daemon = host.start_keepalived(keepalived_servers(SERVICES, SERVERS, keepalived_one(1)), "-C")
        look.seen()
        time.sleep(2)
        same_there, one_there = [], []
        for i in range(rounds):
            before = cpu_ns(tree(daemon.pid))
            os.kill(daemon.pid, signal.SIGHUP)
            time.sleep(4)
            same_there.append((cpu_ns(tree(daemon.pid)) - before) / 1e9)
            (host.directory / "keepalived.conf").write_text(keepalived_servers(SERVICES, SERVERS, keepalived_one(2 + i)))
            look = Look(host, "weight", 2 + i)
            asked = now()
            os.kill(daemon.pid, signal.SIGHUP)
            one_there.append(look.seen() - asked)
            time.sleep(2)
    behind = median([whole - read for whole, read in zip(one, parse, strict=True)])
    print(f"\n10,000 real servers: unchanged reload {median(same):.3f} s of processor (keepalived {median(same_there):.3f}); one weight "
          f"changed, in the kernel after {median(one) * 1e3:.0f} ms (keepalived {median(one_there) * 1e3:.0f}), {behind * 1e3:.0f} ms behind the "
          f"parse, which takes {median(parse) * 1e3:.0f} ms; adverts at 100 ms late by at most {max(late) * 1e3:.1f} ms")
    assert max(late) < interval, "an advert was missing"


CHECKS, SECONDS = 300, 10


@pytest.mark.parametrize("kind", ["HTTP", "TCP"])
def test_what_a_check_costs(kind):
    """The processor time of all processes of the daemon, for each check of healthy servers, once a second."""
    addresses = [f"127.0.{i // 250}.{i % 250 + 1}" for i in range(CHECKS)]
    cost, served, parent = {}, {}, {}
    with World("hfbench") as world:
        host = world.add("lb1")
        host.start_nginx()

        def measure(who: str, daemon):
            def spent():
                return cpu_ns(tree(daemon.pid)), cpu_ns(host._nginx_pids()), cpu_ns([daemon.pid])
            time.sleep(8)
            before = spent()
            time.sleep(SECONDS)
            after = spent()
            cost[who], served[who], parent[who] = ((b - a) / 1000 / CHECKS / SECONDS for a, b in zip(before, after))
        what = "HTTP_GET {\n url {\n path /\n status_code 200\n }\n connect_timeout 1\n }" if kind == "HTTP" else "TCP_CHECK {\n connect_timeout 1\n }"
        daemon = host.start_keepalived("virtual_server 10.100.0.1 80 {\n delay_loop 1\n lvs_sched wrr\n lvs_method NAT\n protocol TCP\n" +
                                       "".join(f"real_server {a} 80 {{\n {what}\n }}\n" for a in addresses) + "}\n", "-C")
        measure("keepalived", daemon)
        daemon.end()
        host.run("ipvsadm", "-C")
        check = "http: /, interval: 1s" if kind == "HTTP" else "tcp: {}, interval: 1s"
        world.configure("instances: {}\nvirtual_servers:\n  web:\n    address: 10.100.0.1:80\n    protocol: tcp\n    scheduler: wrr\n"
                        f"    check: {{{check}, timeout: 900ms}}\n    real_servers:\n" +
                        "".join(f"      r{i}: {{address: {a}:80}}\n" for i, a in enumerate(addresses)))
        measure("holdfast", host.start_holdfastd())
    print(f"\n{CHECKS} {kind} checks a second: keepalived {cost['keepalived']:.0f} us a check (nginx {served['keepalived']:.0f}), holdfast "
          f"{cost['holdfast']:.0f} us, {parent['holdfast']:.0f} of them the daemon's (nginx {served['holdfast']:.0f}): {cost['holdfast'] / cost['keepalived']:.2f} of it")


class Trace:
    """When system calls of holdfastd ended (syscalls tracepoints, tracefs): far cheaper than a debugger, on the one processor."""
    FOLDER = pathlib.Path("/sys/kernel/tracing")

    def __init__(self):
        if not (self.FOLDER / "trace").exists():
            run("mount", "-t", "tracefs", "tracefs", self.FOLDER)
        self.put("trace_clock", "mono")
        self.put("buffer_size_kb", "16384")
        for event in ("sys_exit_recvmsg", "sys_exit_recvfrom", "sys_enter_sendmsg", "sys_enter_sendto"):
            self.put(f"events/syscalls/{event}/enable", "1")

    def put(self, name: str, text: str):
        (self.FOLDER / name).write_text(text)

    def events(self) -> list[tuple[float, str, str]]:
        """Seconds, the thread's name, and the call: "in BYTES" or "out"."""
        found = []
        for line in (self.FOLDER / "trace").read_text().splitlines():
            if each := re.match(r"\s*(\S.*?)-(\d+)\s.*?\s(\d+\.\d+): sys_(recv\w+ -> 0x(\w+)|send)", line):
                size = int(each[5] or "0", 16)
                if size < 1 << 31:
                    found.append((float(each[3]), each[1], f"in {size}" if each[5] else "out"))
        return found


def test_a_verdict_is_soon_in_the_kernel():
    """From the prober's message to the kernel's acknowledgement, beside one bare round trip of the same change."""
    flips = 15
    trace = Trace()
    with World("hfbench") as world:
        host = world.add("lb1")
        world.configure("instances: {}\nvirtual_servers:\n  web:\n    address: 10.100.0.1:80\n    protocol: tcp\n    scheduler: wrr\n"
                        "    check: {tcp: {}, interval: 100ms, timeout: 50ms, retry: 0}\n    inhibit_on_failure: on\n"
                        "    real_servers: {r: {address: 127.0.0.1:8099, weight: 5}}\n")
        host.start_holdfastd()
        for number in range(flips):
            for command in (("nft", "add table ip closed; add chain ip closed in { type filter hook input priority 0; }; "
                             "add rule ip closed in tcp dport 8099 reject with tcp reset"), ("nft", "delete table ip closed")):
                if number == 0 and command[1].startswith("add"):
                    listener = host.spawn("listener", "/usr/bin/python3", "-c",
                                          "import socket; s = socket.create_server(('127.0.0.1', 8099), backlog=1000)\nwhile True: s.accept()[0].close()")
                    wait_for(lambda: "5" in host.run("ipvsadm", "-Sn").split(), 10, "the first good verdict")
                host.run(*command)
                wanted = "0" if command[1].startswith("add") else "5"
                wait_for(lambda: host.run("ipvsadm", "-Sn").split()[-1] == wanted, 10, f"weight {wanted}", every=0.05)
        events = trace.events()
        tool = subprocess.Popen(["ip", "netns", "exec", host.namespace, BUILD / "tests/bench/holdfast-ipvs-tool"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        bare = []
        for weight in range(2 * flips):
            tool.stdin.write(f"-e -t 10.100.0.1:80 -r 127.0.0.1:8099 -m -w {weight}\nbare\n")
            tool.stdin.flush()
            bare.append(int(tool.stdout.readline().split()[-1]) / 1e3)
            tool.stdout.readline()
        tool.stdin.close()
        tool.wait()
        listener.end()
    took, last, sent = [], None, None
    for moment, thread, call in events:
        if thread == "holdfastd" and call.startswith("in"):
            last = moment
        elif thread == "ipvs" and call == "out":
            sent = moment if last is not None and moment - last < 0.005 else None  # a list every 500 ms has no verdict before it
        elif thread == "ipvs" and call.startswith("in") and sent is not None:
            took.append((moment - last) * 1e6)
            last = sent = None
    assert len(took) >= flips, f"{len(took)} of {2 * flips} changes were seen in {len(events)} events"
    print(f"\nverdict to the kernel's acknowledgement: median {median(took):.0f} us of {len(took)}; a bare round trip {median(bare):.0f} us: "
          f"{median(took) / median(bare):.2f} of it")
