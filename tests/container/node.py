"""A host of the sidecar's lab: Debian 13's systemd as PID 1 in a container of its own (systemd-nspawn), with podman, the images
and a cable into the lab's switch. Nothing of what happens in it reaches the disk.

One invariant: commands run inside, through the host's own service manager, so that what they start is in its cgroups.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import uuid

import image
from world import Host, Process, World, run, wait_for

CGROUPS = pathlib.Path("/sys/fs/cgroup")
# The OCI runtime as it is, without what a machine that may not raise limits (no CAP_SYS_RESOURCE) refuses it: words that
# crun does not know are no orders.
SHIM = """#!/bin/sh
bundle=. process= before=
for word; do
    case $before in --bundle | -b) bundle=$word ;; --process | -p) process=$word ;; esac
    before=$word
done
case " $* " in
    *" create "* | *" run "*) specification=$bundle/config.json ;;
    *" exec "*) specification=$process ;;
    *) specification= ;;
esac
[ -z "$specification" ] ||
    sed -i -e 's/"rlimits":/"withoutRlimits":/; s/"oomScoreAdj":/"withoutOomScoreAdj":/; s/"resources":/"withoutResources":/' "$specification"
exec /usr/bin/crun "$@"
"""
CONTAINERS = """[containers]
keyring = false
default_sysctls = []
[engine]
runtime = "crun"
[engine.runtimes]
crun = ["/lab/crun"]
"""
STORAGE = """[storage]
driver = "overlay"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
"""
TARGET = """[Unit]
Requires=basic.target dbus.socket
After=basic.target
"""
# In a cgroup of its own, so that hosts can run side by side. The mount namespace ends with it.
BOOT = r"""
set -e
for hierarchy in systemd unified; do
    [ ! -d /sys/fs/cgroup/$hierarchy/$1 ] || echo $$ > /sys/fs/cgroup/$hierarchy/$1/cgroup.procs
done
mkdir -p "$5/root"
mount --bind "$7" "$5/root"
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_LOCK=0
exec systemd-nspawn --quiet --register=no --keep-unit --volatile=overlay --network-namespace-path=/run/netns/$2 --machine=$1 \
    --hostname=$3 --uuid=$4 --bind="$5/shared:/lab" --bind-ro="$6:/usr/lib/lab-images.tar" --tmpfs=/var/lib/containers:mode=0755 \
    --bind-ro="$5/shared/lab.target:/etc/systemd/system/lab.target" --bind-ro="$5/shared/containers.conf:/etc/containers/containers.conf" \
    --bind-ro="$5/shared/hostname:/etc/hostname" \
    --bind-ro="$5/shared/storage.conf:/etc/containers/storage.conf" \
    --capability=all --system-call-filter='@keyring bpf' --console=read-only -D "$5/root" -b -- --unit=lab.target --show-status=0
"""


class Node:
    """`root` is the root file system that it boots, this machine's own (/) or image.HOST; it is only read."""

    def __init__(self, host: Host, root: pathlib.Path):
        self.host, self.name = host, host.name
        self.machine = f"hfpod{os.getpid()}{host.name}"
        self.lab = host.directory / "boot/shared"
        self.lab.mkdir(parents=True)
        for name, text in (("crun", SHIM), ("containers.conf", CONTAINERS), ("storage.conf", STORAGE), ("lab.target", TARGET),
                           ("hostname", f"{self.name}\n")):
            (self.lab / name).write_text(text)
        (self.lab / "crun").chmod(0o755)
        for folder in self._cgroups():
            folder.mkdir()
        host.world.undo(self._remove_cgroups)
        self.process = Process(["unshare", "-m", "--propagation", "private", "bash", "-c", BOOT, "boot", self.machine, host.namespace,
                                self.name, str(uuid.uuid4()), str(self.lab.parent), str(image.ARCHIVE), str(root)],
                               host.directory / "boot.log")
        host.world.undo(self.end)
        self.leader = 0

    def _cgroups(self) -> list[pathlib.Path]:
        return [CGROUPS / hierarchy / self.machine for hierarchy in ("systemd", "unified") if (CGROUPS / hierarchy).is_dir()]

    def _remove_cgroups(self):
        for folder in self._cgroups():
            # In a mount namespace of its own: a mistake here must not be able to detach a hierarchy of the machine's.
            subprocess.run(["unshare", "-m", "--propagation", "private", "find", str(folder), "-depth", "-type", "d", "-exec",
                            "rmdir", "{}", ";"], check=False, capture_output=True)

    # ---- booting -----------------------------------------------------------------------------------------------------

    def _find_leader(self) -> int:
        """The process that is PID 1 inside."""
        waiting = [self.process.pid]
        while waiting:
            pid = waiting.pop()
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                waiting += map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            except OSError:
                continue
            inside = status.split("NSpid:", 1)[1].split("\n", 1)[0].split()
            if len(inside) > 1 and inside[-1] == "1" and "systemd" in status.split("\n", 1)[0]:
                return pid
        return 0

    def wait_booted(self, seconds: float = 60):
        def booted():
            if not self.process.alive():
                raise RuntimeError(f"{self.name} did not boot:\n{self.host.log('boot')[-3000:]}")
            self.leader = self.leader or self._find_leader()
            return self.leader and self.enter("systemctl", "is-active", "lab.target", check=False).strip() == "active"
        wait_for(booted, seconds, f"{self.name} to boot", every=0.05)
        self.run("podman", "load", "--quiet", "--input", "/usr/lib/lab-images.tar")

    def end(self):
        if self.leader and self.process.alive():
            self.enter("systemctl", "poweroff", "--force", "--force", check=False)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        self.process.end()

    # ---- inside ------------------------------------------------------------------------------------------------------

    def enter(self, *command: str, check: bool = True) -> str:
        """What asks and starts nothing."""
        return run("nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-p", "-n", "-C", "--", *command, check=check)

    def run(self, *command: str, check: bool = True) -> str:
        """As a service of its own."""
        return self.enter("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--", *command, check=check)

    def write(self, path: str, text: str):
        temporary = self.lab / "written"
        temporary.write_text(text)
        self.enter("install", "-D", "-m", "0644", "/lab/written", path)

    def show(self, name: str, unit: str = "holdfast") -> str:
        return self.enter("systemctl", "show", "-P", name, unit).strip()

    def property_of(self, name: str, interface: str = "Instance", path: str = "/org/holdfast1/instance/web") -> str:
        return self.enter("busctl", "get-property", "org.holdfast1", path, f"org.holdfast1.{interface}", name, check=False).strip()

    def state(self) -> str:
        return self.property_of("State").removeprefix('s "').rstrip('"')

    def journal(self, lines: int = 30) -> str:
        return self.enter("journalctl", "--no-pager", "-o", "short-monotonic", "-n", str(lines), check=False)


def available() -> str:
    """Why no host can be booted here, or nothing."""
    if os.geteuid() != 0:
        return "booting hosts needs root"
    if not shutil.which("systemd-nspawn"):
        return "systemd-nspawn is not installed (package systemd-container)"
    return ""


def add(world: World, name: str, root: pathlib.Path) -> Node:
    return Node(world.add(name), root)
