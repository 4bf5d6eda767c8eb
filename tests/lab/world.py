"""The lab's world: hosts as network namespaces on one switch, with real daemons in them.

One invariant: everything that is made is on a list of things to undo, and close() undoes all of it, whatever failed
before. Nothing is left in the machine's own network namespace.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
COMPLAINTS = re.compile(r"unexpected|mismatch|invalid|bogus|error|wrong|dropped|incorrect|checksum|received an|already processed", re.IGNORECASE)
BUILD = pathlib.Path(os.environ.get("HOLDFAST_BUILD", REPOSITORY / "build"))


def now() -> float:
    """CLOCK_MONOTONIC in seconds, the clock of every measurement."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip() or done.returncode}")
    return done.stdout


def wait_for(condition, seconds: float, what: str, every: float = 0.005):
    """The condition's first true value; an error naming `what` when it takes longer."""
    deadline = now() + seconds
    while True:
        value = condition()
        if value:
            return value
        if now() > deadline:
            raise TimeoutError(f"after {seconds} s still waiting for {what}")
        time.sleep(every)


class Process:
    """A child with its output in a file, ended by its pid alone."""

    def __init__(self, command, log: pathlib.Path, environment=None):
        self.command = [str(part) for part in command]
        self.log = log
        self.started = now()
        with open(log, "ab") as output:
            self.popen = subprocess.Popen(
                self.command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})}, start_new_session=True)

    @property
    def pid(self) -> int:
        return self.popen.pid

    def alive(self) -> bool:
        return self.popen.poll() is None

    def kill(self, number: int = signal.SIGKILL) -> float:
        """Sends the signal; the moment just before it."""
        moment = now()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        return moment

    def wait(self, seconds: float = 10) -> int:
        return self.popen.wait(seconds)

    def end(self):
        if self.alive():
            self.kill(signal.SIGTERM)
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
                self.popen.wait()


class Host:
    """A namespace with one link, its own system bus, nginx and holdfastd as wanted."""

    def __init__(self, world: "World", name: str, number: int):
        self.world, self.name, self.number = world, name, number
        self.namespace = f"{world.name}-{name}"
        self.port = f"p-{name}"
        self.ports = [self.port]  # of every cable, in the switch
        self.directory = world.directory / name
        self.directory.mkdir()
        self.addresses = [f"{world.network4}.{number}/24", f"{world.network6}::{number}/64"]
        self.processes: dict[str, Process] = {}
        self.bus_address = f"unix:path={self.directory}/bus"
        self._make()

    def _make_namespace(self):
        run("ip", "netns", "add", self.namespace)
        self.world.undo(lambda: run("ip", "netns", "del", self.namespace, check=False))

    def _make(self):
        self._make_namespace()
        run("ip", "link", "add", "eth0", "netns", self.namespace, "type", "veth", "peer", "name", self.port,
            "netns", self.world.switch)
        self.ip("link", "set", "lo", "up")
        # Duplicate address detection would only add two seconds to every start of the lab.
        self.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad")
        self.ip("link", "set", "eth0", "up")
        for address in self.addresses:
            self.ip("address", "add", address, "dev", "eth0")
        run("ip", "-n", self.world.switch, "link", "set", self.port, "master", "br0", "up")
        self.world.wait_forwarding(self.port)

    def add_link(self, name: str, bridge: str, address: str):
        """A second cable, into a bridge of its own in the switch (World.add_bridge)."""
        port = f"p-{self.name}-{name}"
        run("ip", "link", "add", name, "netns", self.namespace, "type", "veth", "peer", "name", port, "netns", self.world.switch)
        self.ip("link", "set", name, "up")
        self.ip("address", "add", address, "dev", name)
        run("ip", "-n", self.world.switch, "link", "set", port, "master", bridge, "up")
        self.world.wait_forwarding(port)
        self.ports.append(port)

    # ---- looking and touching ------------------------------------------------------------------------------------

    def run(self, *command: str, check: bool = True) -> str:
        return run("ip", "netns", "exec", self.namespace, *command, check=check)

    def ip(self, *arguments: str) -> str:
        return run("ip", "-n", self.namespace, *arguments)

    def has(self, address: str, link: str = "eth0") -> bool:
        links = json.loads(self.ip("-j", "address", "show", "dev", link))
        return any(entry.get("local") == address for link in links for entry in link.get("addr_info", []))

    def spawn(self, name: str, *command, environment=None) -> Process:
        process = Process(["ip", "netns", "exec", self.namespace, *command], self.directory / f"{name}.log",
                          {"DBUS_SYSTEM_BUS_ADDRESS": self.bus_address, **(environment or {})})
        self.processes[name] = process
        return process

    def log(self, name: str) -> str:
        path = self.directory / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # ---- the daemons ---------------------------------------------------------------------------------------------

    def start_bus(self):
        configuration = self.directory / "bus.conf"
        configuration.write_text(
            '<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" '
            '"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">\n'
            f"<busconfig><type>system</type><listen>{self.bus_address}</listen><auth>EXTERNAL</auth>"
            '<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>'
            '<allow own="*"/></policy></busconfig>\n')
        self.spawn("bus", "dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile")
        wait_for((self.directory / "bus").exists, 5, f"the bus of {self.name}")

    def start_nginx(self):
        configuration = self.directory / "nginx.conf"
        configuration.write_text(
            f"daemon off; worker_processes 2; pid {self.directory}/nginx.pid; error_log stderr crit;\n"
            "events { worker_connections 4096; }\n"
            f"http {{ access_log off; {self._temporary_paths()}\n"
            f"  server {{ listen 80 backlog=4096; listen [::]:80 backlog=4096; location / {{ return 200 '{self.name}\\n'; }} }} }}\n")
        process = self.spawn("nginx", "nginx", "-c", configuration, "-p", self.directory, "-e", "stderr")
        wait_for(lambda: (self.directory / "nginx.pid").exists() and len(self._nginx_pids()) >= 3, 5, f"nginx on {self.name}")
        return process

    def _temporary_paths(self) -> str:
        kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        return " ".join(f"{kind}_temp_path {self.directory}/{kind};" for kind in kinds)

    def _nginx_pids(self) -> list[int]:
        master = self.processes["nginx"].pid
        children = pathlib.Path(f"/proc/{master}/task/{master}/children")
        return [master, *map(int, children.read_text().split())] if children.exists() else []

    def kill_nginx(self) -> float:
        """All of nginx at once, by pid, workers too."""
        pids = self._nginx_pids()
        moment = now()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.processes["nginx"].wait()
        return moment

    def start_holdfastd(self, *extra: str) -> Process:
        return self.spawn("holdfastd", BUILD / "src/daemon/holdfastd", "--config", self.world.directory / "holdfast.yaml",
                          "--runtime-dir", self.directory / "run", "--state-dir", self.directory / "lib",
                          "--helper-dir", self.world.directory / "libexec", "--node-name", self.name, *extra)

    def start_keepalived(self, configuration: str, part: str = "-P") -> Process:
        """Debian's keepalived with every message in the log: VRRP alone, or virtual servers alone (-C)."""
        file = self.directory / "keepalived.conf"
        file.write_text(configuration)
        return self.spawn("keepalived", "keepalived", "-n", "-l", "-D", part, "-f", file, "-p", self.directory / "ka.pid",
                          "-r", self.directory / "ka-vrrp.pid", "-c", self.directory / "ka-checkers.pid")

    def complaints(self) -> list[str]:
        """What its keepalived has against the packets of others; not what it says of its own scripts."""
        return [line for line in self.log("keepalived").splitlines()
                if COMPLAINTS.search(line) and "SECURITY VIOLATION" not in line and "script" not in line.lower()]

    @property
    def holdfastd(self) -> Process:
        return self.processes["holdfastd"]

    def ctl(self, *arguments: str, check: bool = True) -> str:
        return run("env", f"DBUS_SYSTEM_BUS_ADDRESS={self.bus_address}", str(BUILD / "src/ctl/holdfastctl"), *arguments,
                   check=check)

    def busctl(self, *arguments: str) -> str:
        return run("busctl", f"--address={self.bus_address}", *arguments).strip()

    def status(self) -> dict:
        """Describe() of the node, or nothing while the daemon is away."""
        text = self.ctl("status", "--json", check=False)
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return {}

    # ---- the cable -----------------------------------------------------------------------------------------------

    def cable(self, plugged: bool, link: str = "eth0") -> float:
        moment = now()
        port = self.port if link == "eth0" else f"p-{self.name}-{link}"
        run("ip", "-n", self.world.switch, "link", "set", port, "up" if plugged else "down")
        return moment


class World:
    """A switch, hosts on it, and a directory for their files. Use as a context."""

    def __init__(self, name: str = "holdfast"):
        self.name = name
        self.network4, self.network6 = "10.77.0", "fd77"
        self._undo = []
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self.directory.chmod(0o755)
        self.undo(lambda: shutil.rmtree(self.directory, ignore_errors=True))
        self.switch = f"{name}-switch"
        self.hosts: dict[str, Host] = {}
        self._lock = threading.Lock()
        try:
            self._make_switch()
        except BaseException:
            self.close()
            raise

    def _make_switch(self):
        run("ip", "netns", "del", self.switch, check=False)  # of a lab that was killed
        run("ip", "netns", "add", self.switch)
        self.undo(lambda: run("ip", "netns", "del", self.switch, check=False))
        # A switch has no packet filter. Where br_netfilter is loaded, each frame would pass IP's, a third of the sender's time.
        run("ip", "netns", "exec", self.switch, "sh", "-c",
            'for call in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e "$call" ] || echo 0 > "$call"; done')
        self.add_bridge("br0")
        libexec = self.directory / "libexec"
        libexec.mkdir()
        for program in ("prober", "runner"):
            (libexec / f"holdfast-{program}").symlink_to(BUILD / f"src/{program}/holdfast-{program}")

    def add_bridge(self, name: str):
        run("ip", "-n", self.switch, "link", "add", name, "type", "bridge", "stp_state", "0", "forward_delay", "0",
            "mcast_snooping", "0")
        run("ip", "-n", self.switch, "link", "set", name, "up")

    def wait_forwarding(self, port: str):
        """A bridge learns of a port's carrier from the kernel's link watch, which takes a second where many links change."""
        state = lambda: json.loads(run("bridge", "-n", self.switch, "-j", "link", "show", "dev", port))[0]["state"]
        wait_for(lambda: state() == "forwarding", 5, f"the switch to forward on {port}", every=0.005)

    def add_links(self, names, hosts):
        """Many cables at once: a bridge of each name, and from each of these hosts a link of that name into it."""
        switch, inside = [], {host: [] for host in hosts}
        for i, name in enumerate(names):
            switch += [f"link add {name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0", f"link set {name} up"]
            for host in hosts:
                port = f"p-{host.name}-{name}"
                switch += [f"link add {port} type veth peer name {name} netns {host.namespace}", f"link set {port} master {name} up"]
                inside[host] += [f"link set {name} up", f"address add 10.{100 + i}.0.{host.number}/24 dev {name}"]
                host.ports.append(port)
        self.batch(self.switch, switch)
        for host, lines in inside.items():
            self.batch(host.namespace, lines)

    def batch(self, namespace: str, lines):
        """Many commands for one ip(8)."""
        file = self.directory / f"batch-{namespace}"
        file.write_text("\n".join(lines) + "\n")
        run("ip", "-n", namespace, "-batch", str(file))

    def undo(self, action):
        self._undo.append(action)

    def add(self, name: str) -> Host:
        run("ip", "netns", "del", f"{self.name}-{name}", check=False)
        host = Host(self, name, len(self.hosts) + 1)
        self.hosts[name] = host
        return host

    def configure(self, text: str):
        path = self.directory / "holdfast.yaml"
        temporary = path.with_suffix(".new")
        temporary.write_text(text)
        temporary.rename(path)

    def isolate(self, names, isolated: bool) -> float:
        """Cut these hosts from each other; everybody else still reaches all of them (bridge(8), isolated ports)."""
        moment = now()
        for name in names:
            run("bridge", "-n", self.switch, "link", "set", "dev", self.hosts[name].port, "isolated",
                "on" if isolated else "off")
        return moment

    def close(self):
        with self._lock:
            for host in self.hosts.values():
                for process in host.processes.values():
                    if process.alive():
                        process.kill(signal.SIGTERM)
            for host in self.hosts.values():
                for process in host.processes.values():
                    process.end()
            while self._undo:
                self._undo.pop()()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
