"""The sidecar, played: two hosts with systemd, podman and nginx, holdfast in a container beside it, and what a client of the address
lost at each act; then the same acts where holdfast and nginx are installed on the hosts, from the same build.

    sudo ./dev lab sidecar [--interval 100ms] [--only sidecar|plain|host] [--keep]

The hosts are set up by the commands of docs/sidecar.md. What this machine can't have is said, and the status is 77.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import shutil
import signal
import sys
import time

import image
import node as nodes
import page
from client import Client
from commands import of_the_lab, set_up
from demo import HANDOVER, NOISE_MS, YIELD, parse_interval
from verdict import BROKEN_STATUS, Verdict, exit_status, judge
from world import World, now, wait_for

PRIORITY = {"lb1": 250, "lb2": 249}
VIP = "10.77.0.100"

# systemd-analyze security's exposure, times ten (issue: 2.0 for the core, 1.5 for the others).
EXPOSURE = {"holdfast.service": 20, "holdfast-prober.service": 15, "holdfast-runner.service": 15, "holdfast-metrics.service": 15}

# podman tells systemd of a container's end when it has cleaned up behind it: conmon, the unit's main process, waits for that. 65 ms more
# than without a container on a quiet machine, 300 ms where two compilers run.
CONTAINER_END_MS = 400


@dataclasses.dataclass
class Row:
    act: str
    world: str
    outage_ms: float
    lost: int
    bound: str
    verdict: Verdict
    note: str


def config(interval: float) -> str:
    """The page's own file, at the lab's address and interval."""
    block, = page.blocks("sidecar.md", "yaml")
    return block.replace("192.0.2.10/24", f"{VIP}/24").replace("advert_interval: 1s", f"advert_interval: {interval * 1000:g}ms")


def set_up_host(node: nodes.Node):
    """What a package would: all that `meson install` makes of the image's own build, and what a package's scripts do then."""
    shutil.copy(image.STAGE, node.lab)
    node.run("sh", "-ec", """
        tar -C / -xf /lab/stage.tar
        install -D -m 0644 /usr/share/holdfast/no-realtime.conf /etc/systemd/system/holdfast.service.d/no-realtime.conf
        systemd-sysusers; systemd-tmpfiles --create --prefix=/run/holdfast --prefix=/var/lib/holdfast; journalctl --update-catalog
        systemctl daemon-reload; systemctl reload dbus""")


def set_up_nginx(node: nodes.Node):
    """The host's own. The pod's comes back by itself, so this one does too."""
    node.enter("rm", "-f", "/etc/nginx/sites-enabled/default")
    node.write("/etc/systemd/system/nginx.service.d/restart.conf", "[Service]\nRestart=always\nRestartSec=1\n")
    node.enter("systemctl", "daemon-reload")


# One that listens on the same wire, after everybody else in the order of masters: it must never have to serve.
LISTENER = """global_defs {{
 router_id listener
 vrrp_version 3
}}
vrrp_instance web {{
 state BACKUP
 interface eth0
 virtual_router_id 51
 priority 1
 advert_int {interval:g}
 virtual_ipaddress {{
  {vip}/24
 }}
}}
"""

# The worlds: what they boot, and what holdfast and nginx are there.
SIDECAR = "sidecar"  # Debian 13, Quadlet: nginx in a pod, holdfast in a container beside it
PLAIN = "plain"      # this machine's own Debian, without Quadlet before 13: holdfast in a container by a plain unit, nginx installed
HOST = "host"        # Debian 13: both installed
WORLDS = (SIDECAR, PLAIN, HOST)
ROOTS = {SIDECAR: image.HOST, PLAIN: pathlib.Path("/"), HOST: image.HOST}


class Play:
    def __init__(self, kind: str, interval: float):
        self.kind, self.interval = kind, interval
        self.in_container, self.in_pod = kind != HOST, kind == SIDECAR
        self.rows: list[Row] = []
        self.client: Client | None = None
        self.world = World(f"hf{kind}")
        try:
            self.nodes = {name: nodes.add(self.world, name, ROOTS[kind]) for name in ("lb1", "lb2")}
            self.client_host, self.listener = self.world.add("client"), self.world.add("listener")
            self.lb1, self.lb2 = self.nodes.values()
            for node in self.nodes.values():
                node.wait_booted()
                for command in (line for line in page.commands("sidecar.md") if "/etc/nginx" in line):
                    node.run("bash", "-ec", of_the_lab(command))
                node.write("/etc/holdfast/holdfast.yaml", config(interval))
                if not self.in_pod:
                    set_up_nginx(node)
                node.run(*set_up(self.in_pod)) if self.in_container else set_up_host(node)
        except BaseException:
            self.world.close()
            raise

    # ---- looking and judging -------------------------------------------------------------------------------------------

    def skew(self, name: str) -> float:
        return self.interval * (256 - PRIORITY[name]) / 256

    def master_down(self, name: str) -> float:
        return 3 * self.interval + self.skew(name)

    def holders(self) -> list[str]:
        return [name for name, node in self.nodes.items() if node.host.has(VIP)]

    def settled_on(self, name: str, seconds: float):
        def there():
            return self.holders() == [name] and self.nodes[name].state() == "master" and \
                (not self.client or self.client.last_host == name)
        try:
            wait_for(there, seconds, f"{VIP} on {name} alone", every=0.05)
        except TimeoutError as error:
            raise TimeoutError(f"{error} (it is on {self.holders()})\n" +
                               "\n".join(f"{node.name}:\n{node.journal(60)}" for node in self.nodes.values())) from error

    def say(self, text: str):
        print(text, flush=True)

    def act(self, title: str):
        self.say(f"\n== {self.kind}: {title}")

    def judge(self, act: str, since: float, bound_ms: float, bound: str, note: str = "", others_kept: bool = True):
        self.client.settle()
        seen, verdict, reason = judge(self.client, since, bound_ms, others_kept)
        note = "; ".join(filter(None, (note, reason)))
        self.rows.append(Row(act, self.kind, seen.milliseconds, seen.lost, bound, verdict, note))
        self.say(f"   outage {seen.milliseconds:.0f} ms, {seen.lost} lost; bound: {bound}; "
                 f"{'as promised' if verdict is Verdict.KEPT else verdict.value}{'; ' + note if note else ''}")

    def check(self, what: str, kept: bool, seen: str):
        """What is no matter of time."""
        self.rows.append(Row(what, self.kind, 0, 0, "", Verdict.KEPT if kept else Verdict.MISSED, "" if kept else seen))
        self.say(f"   {what}: {'yes' if kept else 'NO: ' + seen}")

    # ---- the acts ------------------------------------------------------------------------------------------------------

    def start(self):
        self.act("systemctl start, on both hosts")
        unit = ["web-pod" if self.in_pod else "nginx", "holdfast"]
        for node in self.nodes.values():
            began = now()
            node.enter("systemctl", "start", *unit)
            node.enter("systemctl", "start", "holdfast")  # returns with READY=1
            self.say(f"   {node.name}: READY after {now() - began:.1f} s")
        wait_for(lambda: self.holders() == ["lb1"], self.master_down("lb1") + 5, f"{VIP} on lb1")
        self.client = Client(self.client_host, VIP)
        self.settled_on("lb1", 5)
        self.listener.start_keepalived(LISTENER.format(interval=self.interval, vip=VIP))
        wait_for(lambda: "Entering BACKUP STATE" in self.listener.log("keepalived"), 5, "keepalived to listen")
        self.check("READY=1 ends the start", self.lb1.show("ActiveState") == "active", self.lb1.show("ActiveState"))
        wait_for(lambda: "master" in self.lb1.show("StatusText"), 3, "STATUS=")
        time.sleep(0.5)

    def looks(self):
        """What a host sees of the container."""
        self.act("looking from the host")
        tree = self.lb1.enter("busctl", "tree", "--list", "org.holdfast1")
        self.check("busctl tree org.holdfast1", "/org/holdfast1/instance/web" in tree.split(), tree)
        said = self.lb1.run("holdfastctl", "status", "--json", check=False)
        self.check("holdfastctl status", '"master"' in said, said)
        self.check("the node's name is the host's", json.loads(said)["NodeName"] == "lb1", said[:200])
        lines = self.lb1.enter("journalctl", "-o", "json", "--no-pager", "HOLDFAST_INSTANCE=web", "HOLDFAST_NEW_STATE=master")
        entry = json.loads(lines.splitlines()[-1]) if lines.strip() else {}
        self.check("the journal's fields, of holdfast.service", entry.get("_SYSTEMD_UNIT") == "holdfast.service", str(entry))
        known = self.lb1.enter("journalctl", "--list-catalog", entry.get("MESSAGE_ID", "0" * 32), check=False)
        self.check("journalctl -x explains it", "holdfast" in known, known)
        self.look_at_container() if self.in_container else self.look_at_units()

    def look_at_container(self):
        about = json.loads(self.lb1.run("podman", "container", "inspect", "holdfast"))[0]
        kept, fed = self.lb1.show("NFileDescriptorStore"), self.lb1.show("WatchdogTimestampMonotonic")
        self.check("systemd keeps its descriptors", kept != "0", kept)
        main = self.lb1.enter("ps", "-o", "comm=", "-p", self.lb1.show("MainPID")).strip()
        self.check("the unit's main process is conmon", main == "conmon", main)
        self.check("PID 1 is holdfastd", self.lb1.run("podman", "exec", "holdfast", "cat", "/proc/1/comm").strip() == "holdfastd", "")
        rights = sorted(about["EffectiveCaps"])
        self.check("capabilities: NET_ADMIN and NET_RAW alone", rights == ["CAP_NET_ADMIN", "CAP_NET_RAW"], str(rights))
        wrote = self.lb1.run("podman", "exec", "holdfast", "touch", "/usr/written", check=False)
        for command in (line for line in page.commands("sidecar.md") if " --check " in line):
            said = self.lb1.run("sh", "-c", of_the_lab(command) + " 2>&1", check=False)
            self.check(f"holdfastd --check{command.partition('--check')[2]}", said == "", said)
        self.check("the root is read-only", about["HostConfig"]["ReadonlyRootfs"] and not wrote, wrote)
        healthy = self.lb1.run("sh", "-c", "podman healthcheck run holdfast; echo $?").split()[-1]
        self.check("podman healthcheck run holdfast", healthy == "0", healthy)
        self.lb1.enter("systemctl", "start", "holdfast-metrics.socket")
        scraped = self.lb1.run("/usr/bin/python3", "-c", "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9810/metrics').read().decode())",
                               check=False) if self.lb1.enter("sh", "-c", "command -v python3", check=False) else \
            self.lb1.run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9810; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3", check=False)
        self.check("metrics by socket activation", "holdfast_" in scraped and "web" in scraped, scraped[:300] + self.lb1.journal(8))
        wait_for(lambda: self.lb1.show("WatchdogTimestampMonotonic") != fed, 11, "WATCHDOG=1", every=0.1)
        self.check("the watchdog is fed", True, "")
        stamp = self.lb1.property_of("StateTimestampMonotonic")
        self.lb1.enter("systemctl", "reload", "holdfast")
        self.check("systemctl reload moves nothing", stamp == self.lb1.property_of("StateTimestampMonotonic"), stamp)

    def look_at_units(self):
        """What a newer systemd has that Debian 12's has not, and what it thinks of the sandboxes."""
        kind = self.lb1.show("Type")
        self.check("Type=notify-reload", kind == "notify-reload", kind)
        self.check("systemd keeps its descriptors", self.lb1.show("NFileDescriptorStore") != "0", "")
        for helper in ("prober", "runner"):
            active = self.lb1.show("ActiveState", f"holdfast-{helper}.service")
            self.check(f"holdfast-{helper}.service serves", active == "active", active)
        for unit, most in EXPOSURE.items():
            said = self.lb1.enter("systemd-analyze", "security", "--no-pager", f"--threshold={most}", unit, check=False).strip().splitlines()
            self.check(f"systemd-analyze security {unit}: at most {most / 10}", "😀" in said[-1] or "OK" in said[-1], said[-1] if said else "nothing")
        stamp, hash_before = self.lb1.property_of("StateTimestampMonotonic"), self.lb1.property_of("ConfigHash", "Manager", "/org/holdfast1")
        for text, reloaded in ((config(self.interval).replace("fall: 2", "fall: 3"), True), ("nonsense\n", False)):
            self.lb1.write("/etc/holdfast/holdfast.yaml", text)
            began = now()
            self.lb1.enter("systemctl", "reload", "holdfast", check=False)
            took, after = now() - began, self.lb1.property_of("ConfigHash", "Manager", "/org/holdfast1")
            self.check(f"systemctl reload waits until {'the file' if reloaded else 'a bad file'} is read", (after != hash_before) == reloaded and took < 10,
                       f"{hash_before}, {after} after {took:.1f} s")
            hash_before = after
            self.check("and moves nothing", stamp == self.lb1.property_of("StateTimestampMonotonic") and
                       self.lb1.show("ActiveState") == "active", stamp)
        self.lb1.write("/etc/holdfast/holdfast.yaml", config(self.interval))
        self.lb1.enter("systemctl", "reload", "holdfast")

    def nginx_dies(self):
        self.act("nginx on the master is killed; systemd starts it again a second later")
        since = now()
        if self.in_pod:
            self.lb1.run("podman", "kill", "nginx")
        else:
            self.lb1.enter("systemctl", "kill", "-s", "KILL", "nginx")
        wait_for(lambda: self.client.last_host == "lb2", self.master_down("lb2") + 3, "an answer of lb2")
        seen = self.client.outage(since)
        moved = seen.first_from.get("lb2", 0) * 1000
        self.settled_on("lb1", self.master_down("lb1") + 8)
        # The command itself takes a while to come to the kill: what counts is how long nobody answered.
        bound = self.skew("lb2") * 1000 + 10 + NOISE_MS + (CONTAINER_END_MS if self.in_pod else 0)
        self.judge("nginx killed, and back", since, bound, f"successor's skew {self.skew('lb2') * 1000:.1f} ms + 10 ms" +
                   (f" + {CONTAINER_END_MS} ms of podman" if self.in_pod else ""), f"lb2 answered after {moved:.0f} ms")

    def edges(self) -> str:
        return self.lb2.property_of("StateTimestampMonotonic")

    def killed(self):
        self.act("kill -9 of the master's holdfastd (podman kill): the next one adopts the address")
        before, began, restarts = self.edges(), self.lb1.show("ActiveEnterTimestampMonotonic"), self.lb1.show("NRestarts")
        since = now()
        if self.in_container:
            self.lb1.run("podman", "kill", "holdfast")
        else:
            self.lb1.enter("systemctl", "kill", "-s", "KILL", "--kill-whom=main", "holdfast")
        wait_for(lambda: self.lb1.show("NRestarts") != restarts and self.lb1.show("ActiveState") == "active" and
                 self.lb1.show("ActiveEnterTimestampMonotonic") != began, 15, "the restart")
        took = now() - since
        time.sleep(self.master_down("lb2") + 0.3)
        same = self.edges() == before and self.holders() == ["lb1"]
        if took < 3 * self.interval:
            self.judge("kill -9, restarted", since, 0, "no failover, no request lost",
                       f"READY again after {took * 1000:.0f} ms" + ("" if same else ": the peer took over"), same)
        else:
            self.judge("kill -9, restarted", since, 10, f"a restart of {took:.1f} s is too slow to be adopted at this interval: the peer serves", "")
        self.settled_on("lb1", self.master_down("lb1") + 8)

    def removed(self):
        verb = "podman rm -f holdfast" if self.in_container else "kill -TERM of holdfastd"
        self.act(f"{verb}: it hands over and ends; systemd starts it again")
        restarts = self.lb1.show("NRestarts")
        since = now()
        if self.in_container:
            self.lb1.run("podman", "rm", "-f", "holdfast")
        else:
            self.lb1.enter("systemctl", "kill", "-s", "TERM", "--kill-whom=main", "holdfast")
        wait_for(lambda: self.lb1.show("NRestarts") != restarts and self.lb1.show("ActiveState") == "active", 15, "the restart")
        self.settled_on("lb1", self.master_down("lb1") + 8)
        self.judge("removed (SIGTERM), and back", since, YIELD[0], YIELD[1])

    def moves_nothing(self, act: str, since: float, before: str, note: str = "", kept: bool = True):
        """A restart that systemd ordered: the daemon knows, and its peers wait for three adverts."""
        took = (int(self.lb1.show("ActiveEnterTimestampMonotonic")) - int(self.lb1.show("ActiveExitTimestampMonotonic"))) / 1e6
        time.sleep(self.master_down("lb2") + 0.3)
        self.settled_on("lb1", self.master_down("lb1") + 8)
        same = self.edges() == before
        if took > 3 * self.interval:
            self.judge(act, since, self.master_down("lb2") * 1000 + NOISE_MS, f"back after {took:.1f} s, the peers wait {3 * self.interval:g} s", note, kept)
        else:
            self.judge(act, since, 0, "no failover, no request lost", note + ("" if same else "the peer took over"), same and kept)

    def restarted(self):
        self.act("systemctl restart holdfast")
        before, since = self.edges(), now()
        self.lb1.enter("systemctl", "restart", "holdfast")
        self.moves_nothing("systemctl restart", since, before)

    def updated(self):
        if not self.in_container:
            return
        self.act("a new image, and podman auto-update")
        before = json.loads(self.lb1.run("podman", "container", "inspect", "holdfast"))[0]["Image"]
        self.lb1.write("/root/Containerfile", f"FROM {image.IMAGE}\nLABEL update=1\n")
        self.lb1.run("podman", "build", "--isolation=chroot", "--format=docker", "-q", "-t", image.IMAGE, "-f", "/root/Containerfile", "/root")
        edges, since = self.edges(), now()
        said = self.lb1.run("podman", "auto-update")
        wait_for(lambda: self.lb1.show("ActiveState") == "active", 20, "the updated container")
        after = json.loads(self.lb1.run("podman", "container", "inspect", "holdfast"))[0]["Image"]
        self.moves_nothing("image update", since, edges, "" if before != after else f"the image is the same: {said}", before != after)

    def stopped(self):
        self.act("the master's host goes out of service: holdfast first, then nginx")
        since = now()
        self.lb1.enter("systemctl", "stop", "holdfast", "web-pod" if self.in_pod else "nginx")
        self.settled_on("lb2", 5)
        self.judge("stop", since, *HANDOVER)

    def shut_down(self):
        self.act("back in service, then the whole host is shut down")
        self.lb1.enter("systemctl", "start", "web-pod" if self.in_pod else "nginx", "holdfast")
        self.settled_on("lb1", self.master_down("lb1") + 15)
        time.sleep(1)
        since = now()
        self.lb1.enter("systemctl", "poweroff", check=False)
        wait_for(lambda: not self.lb1.process.alive(), 60, "the host's end", every=0.05)
        wait_for(lambda: self.lb2.host.has(VIP) and self.lb2.state() == "master", 5, f"{VIP} on lb2")
        self.judge("the host is shut down", since, *HANDOVER)

    def listened(self):
        """Of all acts together."""
        self.act("what a keepalived beside them saw")
        served = self.listener.log("keepalived").count("Entering MASTER STATE")
        self.check("a keepalived that listens never had to serve", served == 0, f"{served} times")
        complaints = self.listener.complaints()
        self.check("and complained of nothing", complaints == [], "; ".join(complaints[:3]))

    def all(self):
        for act in (self.start, self.looks, self.nginx_dies, self.killed, self.removed, self.restarted, self.updated, self.stopped, self.shut_down, self.listened):
            act()

    def keep(self):
        self.say("\nThe hosts stay up until Enter or Ctrl-C. In another terminal:")
        for node in self.nodes.values():
            self.say(f"  sudo nsenter -t {node.leader} -a bash        # {node.name}: holdfastctl status, podman ps, journalctl -u holdfast")
        try:
            sys.stdin.readline()
        except KeyboardInterrupt:
            pass


def table(rows: list[Row]):
    print(f"\n{'act':34} {'':8} {'outage':>9} {'lost':>6}   promised")
    for row in rows:
        print(f"{row.act:34} {row.world:8} {row.outage_ms:6.0f} ms {row.lost:6}   {row.bound:52} {row.verdict.value}"
              f"{' (' + row.note + ')' if row.note else ''}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev lab sidecar", description="holdfast in a container beside nginx, on two hosts")
    parser.add_argument("--interval", type=parse_interval, default=1.0, metavar="1s|100ms", help="advertisement interval")
    parser.add_argument("--only", choices=WORLDS, help="one of the worlds")
    parser.add_argument("--keep", action="store_true", help="leave the sidecar's hosts up to play with (or those of --only)")
    parser.add_argument("--results", help=argparse.SUPPRESS)
    options = parser.parse_args()

    def interrupted(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupted)
    if reason := nodes.available():
        print(reason)
        return 77
    rows: list[Row] = []
    play = None
    try:
        image.make(None if options.results else ["--build-arg=TESTS=false"])  # the suite has built and tested it already
        for kind in (options.only,) if options.only else WORLDS:
            play = Play(kind, options.interval)
            play.rows = rows
            play.all()
            if options.keep and (options.only or kind == SIDECAR):
                play.keep()
            play.world.close()
            play = None
        table([row for row in rows if row.bound])
        kept = sum(row.verdict is Verdict.KEPT for row in rows)
        print(f"\n{kept} of {len(rows)} as promised, at {options.interval * 1000:g} ms adverts")
        return exit_status(row.verdict for row in rows)
    except image.Unavailable as reason:
        print(reason)
        return 77
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        print(f"the play broke: {error}")
        return BROKEN_STATUS
    finally:
        if play:
            play.world.close()
        if options.results:
            with open(options.results, "w") as file:
                for row in rows:
                    file.write(json.dumps({"name": f"{row.world}: {row.act}", "reason": row.note,
                                           "verdict": {Verdict.KEPT: "passed", Verdict.MISSED: "failed"}.get(row.verdict, "skipped")}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
