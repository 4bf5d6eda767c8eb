"""Real servers that fail as real servers do, behind a director whose clients go on asking: nginx (HTTP and HTTPS), chasquid
(mail) and nsd (DNS, over UDP and TCP) from Debian.

Each row of FAILURES breaks one thing on s1. What has to follow is the same for all: the checks notice within the time that their
options name, s1 gets no more connections, the reason is told in words, no client is refused from then on, and s1 comes back when
it is mended. The sorry server and the quorum are in test_balancer.py."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
from collections.abc import Callable

import pytest
from test_balancer import VIP, table
from world import Process, World, now, run, wait_for

pytestmark = pytest.mark.kernel("ip_vs", "ip_vs_rr", "nf_tables")

NAME, ZONE = "www.example.net", "example.net"
VIP_TCP = "10.77.0.101"  # of DNS over TCP
INTERVAL, TIMEOUT, RETRY, RETRY_DELAY = 400, 400, 1, 100  # milliseconds of each check, but for the number
PACE = f"interval: {INTERVAL}ms, timeout: {TIMEOUT}ms, retry: {RETRY}, retry_delay: {RETRY_DELAY}ms"
# The longest that a failure is not noticed by these, three times over: the hosts, the probes and the clients share one processor.
BOUND = 3 * (INTERVAL + (RETRY + 1) * TIMEOUT + RETRY * RETRY_DELAY) / 1000
REASON_PAUSE = 1  # seconds: of a server that is down the prober tells another reason no more than this often

DNS = "check: {{dns: {{name: who.example.net, type: TXT}}, {pace}}}"
# name: where clients connect, protocol, the rest
SERVICES = {
    "web": (f"{VIP}:80", "tcp", "check: {{http: [{{path: /, body: 'is well'}}], {pace}}}"),
    "tls": (f"{VIP}:443", "tcp", f"check: {{{{https: /, verify: on, ca_file: {{directory}}/ca.pem, server_name: {NAME}, {{pace}}}}}}"),
    "mail": (f"{VIP}:25", "tcp", "inhibit_on_failure: on, check: {{smtp: {{helo: lb.example.net}}, {pace}}}"),
    "dns": (f"{VIP}:53", "udp", DNS),
    "dns-tcp": (f"{VIP_TCP}:53", "tcp", DNS),
}

# Asks each service again and again, as its clients do; a line for each request: [when it began, service, who answered].
ASKER = """
import itertools, json, re, socket, ssl, struct, sys, threading, time
ca, name, tcp_address, address, first_port, services = *sys.argv[1:5], int(sys.argv[5]), sys.argv[6:]
PATIENCE = 2
trusting = ssl.create_default_context(cafile=ca)
ports = (port for n in itertools.count() for port in (first_port + n % 10, first_port + 10 + n))
query = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\\3who\\7example\\3net\\0" + struct.pack(">HH", 16, 1)

def page(talk):
    talk.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    return re.search(r"200 OK.*\\n(s\\d) \\.+ is well", talk.makefile().read(), re.S)[1]

def web():
    with socket.create_connection((address, 80), PATIENCE) as talk:
        return page(talk)

def tls():
    with socket.create_connection((address, 443), PATIENCE) as talk:
        return page(trusting.wrap_socket(talk, server_hostname=name))

def mail():
    with socket.create_connection((address, 25), PATIENCE) as talk:
        lines = talk.makefile()
        who = re.match(r"220 (s\\d)", lines.readline())[1]
        talk.sendall(b"HELO client.example.net\\r\\n")
        return re.match("250", lines.readline()) and who

def answer(message):
    if message[3] & 15: raise OSError(f"code {message[3] & 15}")
    return re.search(rb"\\x02(s\\d)", message)[1].decode()

def dns():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as talk:
        talk.settimeout(PATIENCE)
        talk.bind(("", next(ports)))  # one that the kernel may remember the server of, then one that it does not
        talk.connect((address, 53))
        talk.send(query)
        return answer(talk.recv(512))

def dns_tcp():
    with socket.create_connection((tcp_address, 53), PATIENCE) as talk:
        talk.sendall(struct.pack(">H", len(query)) + query)
        return answer(talk.makefile("rb").read(2 + 64)[2:])

def go_on(service):
    while True:
        began = time.clock_gettime(time.CLOCK_MONOTONIC)
        try:
            who = globals()[service.replace("-", "_")]()
        except Exception as error:
            who = f"{type(error).__name__} {error}"
        print(json.dumps([began, service, who]) + "\\n", end="", flush=True)
        time.sleep(0.08)

for service in services: threading.Thread(target=go_on, args=(service,)).start()
"""

REFUSING = """
import socket, sys
server = socket.create_server(("", 25))
while True:
    talk, _ = server.accept()
    with talk: talk.sendall(b"421 too many connections, try again later\\r\\n")
"""


class RealServer:
    """A host with all three programs, and the ways to break them."""

    def __init__(self, host, certificates: pathlib.Path):
        self.host, self.name, self.directory, self.certificates = host, host.name, host.directory, certificates
        self.address = host.addresses[0].split("/")[0]
        self.configure_nginx()
        self.start_nginx()
        mail = self.directory / "mail"
        for folder in (f"certs/{NAME}", f"domains/{ZONE}", "data"):
            (mail / folder).mkdir(parents=True)
        for theirs, ours in (("fullchain.pem", "good.pem"), ("privkey.pem", "key.pem")):
            (mail / f"certs/{NAME}" / theirs).symlink_to(certificates / ours)
        (mail / "chasquid.conf").write_text(
            f'hostname: "{self.name}"\nsmtp_address: ":25"\nsubmission_address: ":587"\nsubmission_over_tls_address: ":465"\n'
            f'data_dir: "{mail}/data"\nmail_delivery_agent_bin: "/bin/true"\nmail_log_path: "<stderr>"\n')
        self.start_mail()
        self.write_zone()
        (self.directory / "nsd.conf").write_text(
            f'server:\n  server-count: 1\n  ip-address: {self.address}\n  username: ""\n  database: ""\n  zonesdir: "{self.directory}"\n'
            f'  zonelistfile: "{self.directory}/zone.list"\n  xfrdfile: "{self.directory}/xfrd"\n  xfrdir: "{self.directory}"\n'
            f'  pidfile: "{self.directory}/nsd.pid"\nremote-control:\n  control-enable: no\nzone:\n  name: {ZONE}\n  zonefile: zone\n')
        self.start_dns()

    # ---- nginx ---------------------------------------------------------------------------------------------------------

    def configure_nginx(self, certificate: str = "good", page: str = "return 200 '{name} {dots} is well\\n';", extra: str = ""):
        text = page.format(name=self.name, dots="." * 400)
        (self.directory / "nginx.conf").write_text(
            f"daemon off; worker_processes 1; pid {self.directory}/nginx.pid; error_log stderr crit;\nevents {{ }}\n"
            f"http {{ access_log off; {self.host._temporary_paths()} ssl_certificate_key {self.certificates}/key.pem;\n"
            f"  ssl_certificate {self.certificates}/{certificate}.pem;\n"
            f"  server {{ listen 80; listen 443 ssl; {extra} location / {{ {text} }} }} }}\n")

    def start_nginx(self):
        self.host.spawn("nginx", "nginx", "-c", self.directory / "nginx.conf", "-p", self.directory, "-e", "stderr")

    def reload_nginx(self, **what: str):
        self.configure_nginx(**what)
        self.host.processes["nginx"].kill(signal.SIGHUP)

    def mend_nginx(self):
        """Started anew: at a reload the worker of before still takes a connection, after a check has met the next one."""
        self.host.kill_nginx()
        self.configure_nginx()
        self.start_nginx()

    def signal_nginx(self, number: int):
        for pid in self.host._nginx_pids():
            os.kill(pid, number)

    # ---- the others ----------------------------------------------------------------------------------------------------

    def start_mail(self):
        self.host.spawn("mail", "chasquid", "-config_dir", self.directory / "mail")

    def refuse_mail(self):
        self.kill("mail")
        self.host.spawn("mail", "/usr/bin/python3", "-c", REFUSING)

    def mend_mail(self):
        self.kill("mail")
        self.start_mail()

    def start_dns(self):
        self.host.spawn("nsd", "nsd", "-d", "-c", self.directory / "nsd.conf")

    def write_zone(self, record: str = "who"):
        serial = int(now() * 1000) % 2**31
        (self.directory / "zone").write_text(f'$ORIGIN {ZONE}.\n$TTL 60\n@ SOA ns root {serial} 3600 600 86400 60\n@ NS ns\n'
                                             f'ns A {self.address}\n{record} TXT "{self.name}"\n')

    def reload_zone(self, record: str):
        self.write_zone(record)
        self.host.processes["nsd"].kill(signal.SIGHUP)

    def lose_zone(self):
        """The administrator's hand slipped: the program starts, and has nothing to answer from."""
        self.kill("nsd")
        (self.directory / "zone").unlink()
        self.start_dns()

    def mend_dns(self):
        self.kill("nsd")
        self.write_zone()
        self.start_dns()

    def kill(self, name: str):
        """With all of its children: each program is a session of its own."""
        process: Process = self.host.processes[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def firewall(self, rule: str):
        self.host.run("nft", "add table inet wall; add chain inet wall in { type filter hook input priority 0; }; "
                      f"add rule inet wall in {rule}")

    def open(self):
        self.host.run("nft", "delete", "table", "inet", "wall")


@dataclasses.dataclass
class Failure:
    services: list[str]
    happens: Callable[[RealServer], object]
    mended: Callable[[RealServer], object]
    reason: str  # a regular expression: what the view says
    first: str = "-"  # what it may have said before that, while one program goes and another comes


WEB, ALL = ["web", "tls"], list(SERVICES)
REFUSED, LATE = "cannot connect: Connection refused", f"no complete answer within {TIMEOUT}ms"
FAILURES = {
    "nginx is killed": Failure(WEB, lambda s: s.host.kill_nginx(), RealServer.start_nginx, REFUSED),
    "nginx hangs": Failure(WEB, lambda s: s.signal_nginx(signal.SIGSTOP), lambda s: s.signal_nginx(signal.SIGCONT), LATE),
    "its port is dropped": Failure(["web"], lambda s: s.firewall("tcp dport 80 drop"), RealServer.open,
                                   f"no connection within {TIMEOUT}ms"),
    "its port is rejected": Failure(["web"], lambda s: s.firewall("tcp dport 80 reject with icmpx admin-prohibited"), RealServer.open,
                                    "cannot connect: No route to host"),
    "the host is gone": Failure(ALL, lambda s: s.host.cable(False), lambda s: s.host.cable(True),
                                "no (complete answer|answer|banner|connection) within|No route to host"),
    "the certificate has expired": Failure(["tls"], lambda s: s.reload_nginx(certificate="expired"), RealServer.mend_nginx,
                                           "the server's certificate: certificate has expired"),
    "the certificate is another host's": Failure(["tls"], lambda s: s.reload_nginx(certificate="other"), RealServer.mend_nginx,
                                                 "the server's certificate: it is not for this name"),
    "the page is an error": Failure(WEB, lambda s: s.reload_nginx(page="return 503;"), RealServer.mend_nginx, "status 503"),
    "the page is the wrong one": Failure(["web"], lambda s: s.reload_nginx(page="return 200 'no database';"), RealServer.mend_nginx,
                                         "the pattern is not in the body"),
    "the page stops in its middle": Failure(["web"], lambda s: s.reload_nginx(extra="limit_rate_after 300; limit_rate 1;"),
                                            RealServer.mend_nginx, LATE),
    "the mail server is killed": Failure(["mail"], lambda s: s.kill("mail"), RealServer.start_mail, REFUSED),
    "the mail server is too busy": Failure(["mail"], RealServer.refuse_mail, RealServer.mend_mail, "the banner is 421", REFUSED),
    "the DNS server is killed": Failure(["dns", "dns-tcp"], lambda s: s.kill("nsd"), RealServer.start_dns,
                                        "unreachable: Connection refused"),
    "the DNS server has lost its zone": Failure(["dns", "dns-tcp"], RealServer.lose_zone, RealServer.mend_dns, "SERVFAIL",
                                             f"unreachable: Connection refused|no answer within {TIMEOUT}ms"),
    "the DNS server does not know the name": Failure(["dns", "dns-tcp"], lambda s: s.reload_zone("nobody"), lambda s: s.reload_zone("who"),
                                                     "NXDOMAIN"),
}


def make_certificates(directory: pathlib.Path):
    """One authority, and of one key: a good certificate, one of the past, one of another name."""
    openssl = lambda *words: subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True, text=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-subj", "/CN=The lab", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-new", *key, "-subj", f"/CN={NAME}", "-keyout", "key.pem", "-out", "request.pem")
    (directory / "index").touch()
    (directory / "ca.conf").write_text("[ca]\ndefault_ca = lab\n[lab]\ndatabase = index\nnew_certs_dir = .\nrand_serial = yes\n"
                                       "default_md = sha256\npolicy = any\nunique_subject = no\n[any]\ncommonName = supplied\n"
                                       f"[here]\nsubjectAltName = DNS:{NAME}\n[elsewhere]\nsubjectAltName = DNS:other.example.net\n")
    for name, extensions, when in (("good", "here", ("-days", "2")), ("other", "elsewhere", ("-days", "2")),
                                   ("expired", "here", ("-startdate", "20200101000000Z", "-enddate", "20200201000000Z"))):
        openssl("ca", "-batch", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", "request.pem", "-out", f"{name}.pem",
                "-notext", "-extensions", extensions, *when)
    for file in directory.iterdir():
        file.chmod(0o644)


class Asker:
    """A client of some services, from now on."""

    def __init__(self, lab: "Lab", services: list[str]):
        self.services = services
        lab.asked += 1
        self.log = lab.client.directory / f"ask-{lab.asked}.log"
        self.process = Process(["ip", "netns", "exec", lab.client.namespace, "/usr/bin/python3", "-c", ASKER,
                                lab.certificates / "ca.pem", NAME, VIP_TCP, VIP, str(10000 + 1000 * lab.asked), *services], self.log)
        lab.world.undo(self.process.end)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.end()  # two that take turns would each meet one server alone

    def answers(self, since: float = 0) -> list[tuple[str, str]]:
        """Of the requests that were begun since then: service, who answered or what went wrong."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [(service, who) for began, service, who in lines if began > since]

    def wait_for_all(self, names: set[str], since: float, what: str):
        """Each of these has answered for each service."""
        wanted = {(service, name) for service in self.services for name in names}
        try:
            wait_for(lambda: wanted <= set(self.answers(since)), 10, what, every=0.1)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {wanted - set(self.answers(since))}; {self.answers()[-8:]}") from None


class Lab:
    def __init__(self, world: World):
        self.world, self.asked = world, 0
        self.lb, self.client = world.add("lb1"), world.add("client")
        self.certificates = world.directory / "certificates"
        self.certificates.mkdir()
        make_certificates(self.certificates)
        self.servers = {name: RealServer(world.add(name), self.certificates) for name in ("s1", "s2")}
        for server in self.servers.values():  # answers go back through the director, which undoes the NAT
            server.host.ip("route", "add", self.client.addresses[0].split("/")[0] + "/32", "via", self.lb.addresses[0].split("/")[0])
        self.lb.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
        for address in (VIP, VIP_TCP):
            self.lb.ip("address", "add", f"{address}/32", "dev", "eth0")
        reals = ", ".join(f"{name}: {{address: {server.address}}}" for name, server in self.servers.items())
        # Without forget_stale the kernel drops what a client sends from a port that was balanced to a server which has gone since.
        world.configure("instances: {}\nipvs: {forget_stale: on}\nvirtual_servers:\n" + "".join(
            f"  {name}: {{address: {address}, protocol: {protocol}, scheduler: rr, alpha: on, real_servers: {{{reals}}}, "
            f"{rest.format(pace=PACE, directory=self.certificates)}}}\n" for name, (address, protocol, rest) in SERVICES.items()))
        self.lb.start_bus()
        self.lb.start_holdfastd()
        wait_for(lambda: all(self.weight(service, name) == 1 for service in SERVICES for name in self.servers), 30,
                 "all servers to be up", every=0.5)

    def weight(self, service: str, name: str) -> int | None:
        """In the kernel's table; None when it is not there."""
        address = SERVICES[service][0]
        endpoint = f"{self.servers[name].address}:{address.rpartition(':')[2]}"
        return table(self.lb).get(address, {}).get(endpoint, ("", None))[1]

    def real(self, service: str, name: str) -> dict:
        servers = json.loads(self.lb.ctl("--json=short", "ipvs", service))
        return next(real for real in servers[0]["RealServers"] if real["Name"] == name)


@pytest.fixture(scope="module")
def lab():
    with World(f"hft{os.getpid() % 1000}fail") as world:
        yield Lab(world)


def play(lab: Lab, name: str, asker: Asker):
    failure, s1 = FAILURES[name], lab.servers["s1"]
    asker.wait_for_all({"s1", "s2"}, 0, "answers of both servers before anything happens")
    try:
        failure.happens(s1)
        began = now()
        for service in failure.services:
            without = 0 if "inhibit_on_failure" in SERVICES[service][2] else None
            wait_for(lambda s=service, w=without: lab.weight(s, "s1") == w, began + BOUND - now(),
                     f"{service} without s1 after '{name}'", every=0.1)
        gone = now()
        for service in failure.services:
            wait_for(lambda s=service: re.search(failure.reason, lab.real(s, "s1")["Detail"]), REASON_PAUSE + BOUND,
                     f"{service} to say why: {failure.reason}", every=0.1)
            assert lab.real(service, "s1")["State"] == "down"
            assert re.search(f" s1 .* down .*({failure.reason})", lab.lb.ctl("ipvs", service)), "what people see"
            told = f"{service}/s1 is down: .*({failure.reason}|{failure.first})"
            assert re.search(told, lab.lb.log("holdfastd")), "what the journal says"
        wait_for(lambda: all([each for each, _ in asker.answers(gone)].count(service) >= 8 for service in failure.services), 10,
                 "eight more requests to each service", every=0.1)
        assert {who for _, who in asker.answers(gone)} == {"s2"}, f"requests after s1 had left the table: {asker.answers(gone)}"
    finally:
        failure.mended(s1)
    mended = now()
    for service in failure.services:
        wait_for(lambda s=service: lab.weight(s, "s1") == 1, 10 + BOUND, f"s1 back in {service} after '{name}' is mended", every=0.05)
    asker.wait_for_all({"s1", "s2"}, mended, "answers of both servers after it is mended")
    assert {who for _, who in asker.answers(gone)} == {"s1", "s2"}, f"nobody was refused meanwhile: {asker.answers(gone)}"


@pytest.mark.parametrize("name", FAILURES)
def test_a_server_that_fails_gets_no_clients_until_it_is_mended(lab, name):
    with Asker(lab, FAILURES[name].services) as asker:
        play(lab, name, asker)
