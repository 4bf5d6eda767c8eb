"""The flagship: two hosts that are both directors and both real servers (IPVS, direct routing), and a client that counts.

What a client sees of each connection is one word: who answered, or `hanging` (no answer in PATIENCE seconds, though TCP asks
again and again), `reset`, `refused`, or `unreachable` (it ran in circles until its time to live was exceeded). Needs a kernel with ip_vs: the virtual machine's (`./dev lab ipvs`).
"""

from __future__ import annotations

import collections
import dataclasses
import json

from world import Process, World, now, wait_for

PATIENCE = 8  # seconds: a SYN is sent again after 1, 3 and 7
NAMES = ["lb1", "lb2"]

ASK = r"""
import collections, errno, json, os, socket, sys, threading, time
address, port, wanted, stop = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
lock, begun, results = threading.Lock(), 0, collections.Counter()

def one():
    with socket.create_connection((address, port), PATIENCE) as talk:
        talk.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while part := talk.recv(4096):
            answer += part
        return answer.split(b"\r\n\r\n")[-1].strip().decode() or "reset"

def more():
    global begun
    with lock:
        begun += 1
        return begun <= wanted if wanted else not os.path.exists(stop)

def work():
    while more():
        try:
            outcome = one()
        except TimeoutError:
            outcome = "hanging"
        except ConnectionRefusedError:
            outcome = "refused"
        except OSError as error:
            outcome = "reset" if isinstance(error, ConnectionError) else "unreachable" if error.errno == errno.EHOSTUNREACH else str(error)
        with lock:
            results[outcome] += 1
        if not wanted:
            time.sleep(0.02) # while something happens: a few hundred a second, and time for the hosts to do it

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(results))
"""


class Asker:
    """`wanted` connections, or connections until it is told to end."""

    def __init__(self, lab: "Flagship", address: str, wanted: int = 0, port: int = 80):
        self.log = lab.client.directory / f"ask-{len(lab.askers)}.log"
        self._stop = lab.client.directory / f"stop-{len(lab.askers)}"
        lab.askers.append(self)
        self._process = Process(["ip", "netns", "exec", lab.client.namespace, "/usr/bin/python3", "-c",
                                 ASK.replace("PATIENCE", str(PATIENCE)), address, str(port), str(wanted), str(self._stop)], self.log)
        lab.world.undo(self._process.end)

    def result(self) -> collections.Counter:
        self._stop.touch()
        assert self._process.wait(250) == 0, self.log.read_text()
        return collections.Counter(json.loads(self.log.read_text().splitlines()[-1]))


@dataclasses.dataclass
class Row:
    what: str
    address: str
    holders: list[str]
    tables: list[str]
    seen: collections.Counter

    def text(self) -> str:
        count = lambda word: self.seen[word]
        others = {word: n for word, n in self.seen.items() if word not in (*NAMES, "hanging", "reset", "refused")}
        return (f"{self.what:34} {self.address:12} {'+'.join(self.holders) or '-':8} {'+'.join(self.tables) or '-':8} "
                f"{sum(self.seen.values()):11} {count('lb1'):5} {count('lb2'):5} {count('hanging'):7} {count('reset'):5} {count('refused'):7}"
                + (f" {others}" if others else ""))


HEADING = (f"{'':34} {'address':12} {'held by':8} {'table':8} {'connections':>11} {'lb1':>5} {'lb2':>5} {'hanging':>7} {'reset':>5} "
           f"{'refused':>7}")


class Flagship:
    """lb1 and lb2 with nginx and holdfastd, one file for both; a client on the same switch."""

    def __init__(self, world: World, text: str, home: dict[str, str], bus: bool = True):
        self.world, self.home = world, home
        self.askers: list[Asker] = []
        self.rows: list[Row] = []
        self.hosts = {name: world.add(name) for name in NAMES}
        self.client = world.add("client")
        world.configure(text)
        for host in self.hosts.values():
            if bus:
                host.start_bus()
            host.start_nginx()

    def start(self):
        for host in self.hosts.values():
            host.start_holdfastd()
        self.settled(self.home)

    # ---- looking -------------------------------------------------------------------------------------------------------

    def holders(self, address: str) -> list[str]:
        """Who has it on the link; on lo both have it."""
        return [name for name, host in self.hosts.items() if host.has(address)]

    def tables(self) -> dict[str, list[str]]:
        """host -> real servers in its table, each service once."""
        return {name: sorted({line.split()[4].rpartition(":")[0].strip("[]") for line in host.run("ipvsadm", "-Sn").splitlines()
                              if line.startswith("-a")}) for name, host in self.hosts.items()}

    def directors(self) -> list[str]:
        return [name for name, servers in self.tables().items() if servers]

    @staticmethod
    def marks(host, address: str) -> bool:
        """The guard is in force there."""
        return f"ip daddr {address} " in host.run("nft", "list", "table", "inet", "holdfast-guard", check=False)

    def settled(self, where: dict[str, str], guarded: bool = False):
        """Each address on its host, and two servers in the table of whoever directs."""
        whole = lambda: (all(len(self.tables()[name]) == 2 for name in set(where.values())) and
                         (not guarded or all(self.marks(self.hosts[name], address) for address, name in where.items())))
        wait_for(lambda: all(self.holders(a) == [name] for a, name in where.items()) and whole(), 20,
                 f"{where} with whole tables, not {[self.holders(a) for a in where]} {self.tables()}", every=0.05)

    def note(self, what: str, address: str, seen: collections.Counter) -> collections.Counter:
        row = Row(what, address, self.holders(address), self.directors(), seen)
        self.rows.append(row)
        return seen

    # ---- asking --------------------------------------------------------------------------------------------------------

    def ask(self, what: str, count: int, port: int = 80) -> dict[str, collections.Counter]:
        """So many connections to each address, all addresses at once."""
        askers = {address: Asker(self, address, count, port) for address in self.home}
        return {address: self.note(what, address, asker.result()) for address, asker in askers.items()}

    def ask_during(self, what: str, act, port: int = 80) -> dict[str, collections.Counter]:
        askers = {address: Asker(self, address, 0, port) for address in self.home}
        began = now()
        act()
        wait_for(lambda: now() > began + 1, 3, "a second more")
        return {address: self.note(what, address, asker.result()) for address, asker in askers.items()}

    def print(self, title: str):
        print(f"\n{title}\n{HEADING}")
        for row in self.rows:
            print(row.text())


INSTANCE = "  {name}: {{interface: eth0, vrid: {vrid}, advert_interval: 200ms, priority: {{lb1: {one}, lb2: {two}}}, addresses: [{address}/24]}}\n"
SERVER = """  {name}:
    {where}
    protocol: tcp
    scheduler: rr
    forwarding: dr
    {rule}
    check: {{http: /, interval: 500ms, timeout: 400ms, retry: 1, retry_delay: 100ms}}
    real_servers:
      lb1: {{address: 10.77.0.1, host: lb1}}
      lb2: {{address: 10.77.0.2, host: lb2}}
"""
WEB, SHOP = "10.77.0.100", "10.77.0.101"
INSTANCES = {WEB: INSTANCE.format(name="web", vrid=51, one=250, two=240, address=WEB),
             SHOP: INSTANCE.format(name="shop", vrid=52, one=240, two=250, address=SHOP)}
ONE = "instances:\n" + INSTANCES[WEB] + "virtual_servers:\n" + SERVER.format(name="web", where=f"address: {WEB}:80", rule="while_master: web")
TWO = ("instances:\n" + INSTANCES[WEB] + INSTANCES[SHOP] + "virtual_servers:\n" +
       SERVER.format(name="web", where=f"address: {WEB}:80", rule="while_master: web") +
       SERVER.format(name="shop", where=f"address: {SHOP}:80", rule="while_master: shop"))
GUARDED = ("instances:\n" + INSTANCES[WEB] + INSTANCES[SHOP] + "virtual_servers:\n" +
           SERVER.format(name="both", where=f"addresses: [{WEB}:80, {SHOP}:80]", rule="guard: true"))
AT_HOME = {WEB: "lb1", SHOP: "lb2"}
