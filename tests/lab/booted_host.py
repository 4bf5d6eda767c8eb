"""Inside the booted container: holdfast installed as a package would, and what every script there asks of systemd and the bus."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import time
import traceback

OBJECT = "/org/holdfast1/instance/web"


def run(*command: str, check: bool = True, **more) -> str:
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}: {done.stderr.strip()} {done.stdout.strip()}")
    return done.stdout.strip()


def wait_for(condition, seconds: float, what: str):
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what} after {seconds} s\n" + run("journalctl", "-u", "holdfast*", "-n", "30", "--no-pager", check=False))
        time.sleep(0.01)
    return value


def show(name: str, unit: str = "holdfast") -> str:
    return run("systemctl", "show", "-P", name, unit)


def property_of(name: str, interface: str = "Instance", path: str = OBJECT) -> str:
    return run("busctl", "get-property", "org.holdfast1", path, f"org.holdfast1.{interface}", name, check=False)


def state() -> str:
    return property_of("State").removeprefix('s "').rstrip('"')


def has_address() -> bool:
    return "192.0.2.10/" in run("ip", "address", "show", "dev", "eth0")


def write(text: str):
    pathlib.Path("/etc/holdfast/holdfast.yaml").write_text(text)


def install(configuration: str):
    """Everything but the start."""
    shutil.copytree("/stage", "/", dirs_exist_ok=True, symlinks=True)
    pathlib.Path("/etc/holdfast").mkdir(exist_ok=True)
    pathlib.Path("/etc/nginx/sites-enabled").mkdir(exist_ok=True, parents=True)
    write(configuration)
    for command in (("systemd-sysusers",), ("systemd-tmpfiles", "--create", "--prefix=/run/holdfast", "--prefix=/var/lib/holdfast"),
                    ("journalctl", "--update-catalog"), ("systemctl", "daemon-reload"), ("systemctl", "reload", "dbus")):
        run(*command, check=command[:2] not in (("systemd-tmpfiles", "--create"), ("systemctl", "reload")))


def plug():
    """eth0 with its own address, and the other end of its cable."""
    for command in (("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1"), ("ip", "link", "set", "eth1", "up"),
                    ("ip", "link", "set", "eth0", "up"), ("ip", "address", "add", "192.0.2.1/24", "dev", "eth0")):
        run(*command)


def play(steps, results: dict):
    for step in steps:
        try:
            step()
        except Exception:  # the steps behind it may still tell something
            results[f"broken:{step.__name__}"] = traceback.format_exc()
    pathlib.Path("/lab/results.json").write_text(json.dumps(results, indent=1))
    subprocess.run(["systemctl", "poweroff", "--force"])
