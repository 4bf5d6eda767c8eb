"""What systemd does to holdfast while a client uses its address and keepalived stands by on the same wire: restart, upgrade,
kill, at two advert intervals. Writes an entry an act: what the client lost, what the peer saw."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from booted_host import has_address, install, play, plug, property_of, run, show, state, wait_for, write

CONFIG = """
instances:
  web:
    interface: eth0
    vrid: 51
    advert_interval: {interval}
    addresses: [192.0.2.10/24]
    track: [nginx]
trackers:
  nginx: {{unit: nginx.service}}
"""
KEEPALIVED = """global_defs {{\n router_id peer\n vrrp_version 3\n}}
vrrp_instance V {{\n state BACKUP\n interface eth1\n virtual_router_id 51\n priority 50\n advert_int {interval}
 virtual_ipaddress {{\n  192.0.2.10/24\n }}\n}}
"""
PEER = ("ip", "netns", "exec", "peer")
DAEMON = pathlib.Path("/usr/sbin/holdfastd")
results: dict[str, object] = {"acts": []}


class Client:
    """GETs, 2 ms apart, judged one by one."""

    def __init__(self):
        self.answers: list[tuple[float, bool]] = []
        self.process = subprocess.Popen([*PEER, "/lab/holdfast-poller", "192.0.2.10", "80", "2000", "500000"],
                                        stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            start, _, verdict, _ = line.split()
            self.answers.append((int(start) / 1e6, verdict == "ok"))

    def seen(self, since: float) -> tuple[int, int]:
        mine = [ok for start, ok in self.answers if start >= since]
        return len(mine), mine.count(False)


class Wire:
    """What passes on the peer's link: adverts of priority 0, the longest silence between two of our adverts, group leaves."""

    def __init__(self):
        # The socket is made in the peer's namespace by a thread that enters it, and used from everywhere.
        made: list[socket.socket] = []

        def make():
            import ctypes
            handle = os.open("/run/netns/peer", os.O_RDONLY)
            if ctypes.CDLL(None, use_errno=True).setns(handle, 0x40000000):
                raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)))
            made[0].bind(("eth1", 0x0800))

        maker = threading.Thread(target=make)
        maker.start()
        maker.join()
        self.socket = made[0]
        self.adverts: list[tuple[float, int]] = []
        self.leaves: list[float] = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while packet := self.socket.recv(2048):
            header = (packet[0] & 15) * 4
            protocol, source = packet[9], socket.inet_ntoa(packet[12:16])
            if source != "192.0.2.1":
                continue
            if protocol == 112:
                self.adverts.append((time.monotonic(), packet[header + 2]))
            elif protocol == 2 and self.is_leave(packet[header:]):
                self.leaves.append(time.monotonic())

    @staticmethod
    def is_leave(message: bytes) -> bool:
        """Of VRRP's group: IGMPv2's, or IGMPv3's change to "include nothing" (RFC 3376 4.2.12)."""
        if message[0] == 0x17:
            return message[4:8] == bytes((224, 0, 0, 18))
        at = 8
        for _ in range(struct.unpack("!H", message[6:8])[0] if message[0] == 0x22 else 0):
            kind, auxiliary, sources = struct.unpack("!BBH", message[at:at + 4])
            if message[at + 4:at + 8] == bytes((224, 0, 0, 18)) and kind == 3 and sources == 0:
                return True
            at += 8 + 4 * sources + 4 * auxiliary
        return False


def peer_edges(log: pathlib.Path) -> int:
    return log.read_text().count("Entering MASTER STATE")


def wait_for_daemon_after(pid: str):
    wait_for(lambda: show("MainPID") not in (pid, "0"), 10, "the next process")
    wait_for(lambda: state() == "master", 10, "mastership")


def restart():
    run("systemctl", "restart", "holdfast")


def upgrade():
    """Another file under the same name, as a package manager puts it there."""
    shutil.copy2(DAEMON, "/usr/sbin/holdfastd.new")
    os.replace("/usr/sbin/holdfastd.new", DAEMON)
    run("systemctl", "restart", "holdfast")


def kill():
    os.kill(int(show("MainPID")), signal.SIGKILL)


def kill_under_load():
    load = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() or 1)]
    try:
        time.sleep(0.5)
        pid = show("MainPID")
        kill()
        wait_for_daemon_after(pid)
    finally:
        for each in load:
            each.kill()
            each.wait()


def restart_without_directory():
    """Somebody tidied /run/holdfast up: the FD store has the record still."""
    os.unlink("/run/holdfast/state")
    run("systemctl", "restart", "holdfast")


ACTS = {"systemctl restart": restart, "systemctl restart, again": restart, "upgrade": upgrade, "and back": upgrade,
        "restart without its record file": restart_without_directory, "kill -9": kill, "kill -9 under load": kill_under_load}


def setup():
    install(CONFIG.format(interval="1s"))
    plug()
    for command in (("ip", "netns", "add", "peer"), ("ip", "link", "set", "eth1", "netns", "peer"),
                    (*PEER, "ip", "link", "set", "eth1", "up"), (*PEER, "ip", "link", "set", "lo", "up"),
                    (*PEER, "ip", "address", "add", "192.0.2.2/24", "dev", "eth1")):
        run(*command)
    run("systemctl", "start", "nginx")


def play_acts():
    client = None
    for interval, seconds in (("1s", 1.0), ("100ms", 0.1)):
        write(CONFIG.format(interval=interval))
        run("systemctl", "start", "holdfast")
        wait_for(lambda: state() == "master", 8, "mastership")
        configuration, log = pathlib.Path(f"/lab/keepalived-{interval}.conf"), pathlib.Path(f"/lab/keepalived-{interval}.log")
        configuration.write_text(KEEPALIVED.format(interval=seconds))
        peer = subprocess.Popen([*PEER, "keepalived", "-n", "-l", "-D", "-P", "-f", str(configuration), "-p", "/run/ka.pid", "-r",
                                 "/run/ka-vrrp.pid"], stdout=log.open("w"), stderr=subprocess.STDOUT)
        wait_for(lambda: "Entering BACKUP STATE" in log.read_text(), 5, "keepalived to be backup")
        wire, client = Wire(), client or Client()
        time.sleep(2 * seconds)
        for name, act in ACTS.items():
            pid, before, since = show("MainPID"), peer_edges(log), time.monotonic()
            act()
            wait_for_daemon_after(pid)
            time.sleep(0.8 + 2 * seconds)  # requests of the act have ended, and a peer that lost patience has said so
            requests, lost = client.seen(since)
            adverts = [moment for moment, _ in wire.adverts if moment > since - seconds]
            results["acts"].append({
                "interval": interval, "act": name, "requests": requests, "lost": lost,
                "peer_took_over": peer_edges(log) - before, "has_address": has_address(),
                "goodbyes": sum(priority == 0 for moment, priority in wire.adverts if moment >= since),
                "left_group": sum(moment >= since for moment in wire.leaves),
                "silence": max(b - a for a, b in zip(adverts, adverts[1:])), "reason": property_of("StateReason"),
                "kept": int(show("NFileDescriptorStore"))})
        pid, since, before = show("MainPID"), time.monotonic(), peer_edges(log)
        run("systemctl", "stop", "holdfast")
        wait_for(lambda: peer_edges(log) > before, 5, "keepalived to take over")
        results["acts"].append({
            "interval": interval, "act": "systemctl stop", "peer_took_over": peer_edges(log) - before,
            "goodbyes": sum(priority == 0 for moment, priority in wire.adverts if moment >= since), "has_address": has_address()})
        peer.send_signal(signal.SIGTERM)
        peer.wait()
    client.process.kill()
    results["journal"] = run("journalctl", "-u", "holdfast", "--no-pager", "-n", "200")


play((setup, play_acts), results)
