#!/usr/bin/python3
"""The sidecar in a virtual machine with Debian's own kernel, for what neither the build machine's kernel nor a container of its own
can show: holdfast's container programs IPVS on the host's network.

The machine's root is the lab's host (image.HOST: Debian 13's systemd and podman), its images are the lab's store, both read-only; the
checks are machine_inside.py, which pytest plays in it.

    machine_sidecar.py [--results FILE] [PYTEST ARGUMENTS]     FILE: a JSON object a line, {"name", "verdict", "reason"}

The root and the images have to be there (tests/container/image.py). Status 77 and a last line with the reason: what it needs is not here.
"""

from __future__ import annotations

import pathlib
import shlex
import sys

import image

sys.path.insert(0, str(image.ROOT / "tests/vm"))
import machine  # noqa: E402

CHECKS = image.ROOT / "tests/container/machine_inside.py"

# What that Debian 13 lacks runs from this machine's root (/lo), by its own loader and with its own libraries.
BORROWED = """#!/bin/sh
export PYTHONHOME=/lo/usr
exec /lo/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 --library-path /lo/usr/lib/x86_64-linux-gnu --argv0 {program} /lo{program} "$@"
"""
BORROWED_PROGRAMS = ["/usr/bin/python3", "/usr/sbin/ipvsadm"]
STORAGE = """[storage]
driver = "overlay"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
[storage.options]
additionalimagestores = ["/lo{store}"]
"""
TARGET = """[Unit]
Requires=basic.target dbus.socket
Wants=lab.service
After=basic.target
"""
SERVICE = """[Unit]
After=basic.target dbus.service
DefaultDependencies=no
[Service]
Type=oneshot
WorkingDirectory={root}
Environment=HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={root}/tests/lab:{root}/tests/netns:{root}/tests/container
ExecStart=/usr/bin/python3 {root}/tests/vm/inside.py {arguments}
ExecStopPost=/bin/sh -c 'sync; echo o > /proc/sysrq-trigger'
StandardOutput=file:/lab/output
StandardError=file:/lab/output
"""
# The second process: what a host has on its disk, then the host's systemd.
SECOND = """
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
for folder in /tmp /var/tmp; do mount -t tmpfs -o mode=1777 tmp $folder; done
mkdir -p /var/lib/containers; mount -t tmpfs containers /var/lib/containers
for folder in {folders}; do mkdir -p $folder; mount --bind /lo$folder $folder; done
mkdir -p /lib/modules; ln -s /lo{kernel}/lib/modules/$(uname -r) /lib/modules/
echo lb1 > /etc/hostname; touch /etc/.updated /var/.updated
{files}exec /lib/systemd/systemd --unit=lab.target --show-status=0
"""


def missing() -> str | None:
    if reason := machine.missing():
        return reason
    if not (image.HOST / "usr/bin/podman").exists() or not image.ARCHIVE.exists():  # which is made last
        return f"there is no host with podman and images in {image.CACHE}: tests/container/image.py makes them"
    return None


def script(arguments: list[str]) -> str:
    files = {"/etc/containers/storage.conf": STORAGE.format(store=image.STORE), "/etc/systemd/system/lab.target": TARGET,
             "/etc/systemd/system/lab.service": SERVICE.format(root=image.ROOT, arguments=machine.quote(arguments)),
             **{program: BORROWED.format(program=program) for program in BORROWED_PROGRAMS}}
    write = "mkdir -p {0}\ncat > {1} <<'END-OF-FILE'\n{2}END-OF-FILE\nchmod {3} {1}\n"
    written = "".join(write.format(pathlib.Path(name).parent, name, text, 755 if text.startswith("#!") else 644)
                      for name, text in files.items())
    return SECOND.format(folders=shlex.quote(str(image.ROOT)), kernel=shlex.quote(str(machine.KERNEL)), files=written)


def play(chosen) -> list[dict]:
    return machine.boot(script([str(CHECKS), "-W", "ignore::pytest.PytestUnknownMarkWarning", *chosen]), image.HOST)


if __name__ == "__main__":
    sys.exit(machine.main(missing, play))
