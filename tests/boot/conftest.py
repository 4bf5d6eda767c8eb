"""Boots this machine's own Debian as a container with systemd as PID 1: a read-only view of / below a tmpfs overlay, so
nothing is downloaded and nothing of what happens inside reaches the disk. Half a second to the first test."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import uuid

import pytest

HERE = pathlib.Path(__file__).parent
BUILD = pathlib.Path(os.environ["HOLDFAST_BUILD"])
CGROUPS = pathlib.Path("/sys/fs/cgroup")

TARGET = """[Unit]
Requires=basic.target dbus.socket
Wants=holdfast-test.service
After=basic.target
"""
SERVICE = """[Unit]
After=basic.target dbus.service systemd-journald.service
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 /lab/inside.py
StandardOutput=file:/lab/output
StandardError=file:/lab/output
TimeoutStartSec=150
"""
# In a mount namespace of its own: the bind mount of / is what systemd-nspawn takes instead of /, and goes with it.
BOOT = r"""
set -e
mount --bind / "$1/root"
for hierarchy in systemd unified; do
    [ ! -d /sys/fs/cgroup/$hierarchy ] || echo $$ > /sys/fs/cgroup/$hierarchy/$2/cgroup.procs
done
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_LOCK=0
exec timeout -k 5 200 systemd-nspawn --quiet --register=no --keep-unit --volatile=overlay --private-network --machine=$2 \
    --uuid=$3 --bind="$1/lab:/lab" --bind-ro="$1/stage:/stage" \
    --bind-ro="$1/lab.target:/etc/systemd/system/lab.target" \
    --bind-ro="$1/holdfast-test.service:/etc/systemd/system/holdfast-test.service" \
    --capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_NICE --console=read-only -D "$1/root" -b -- --unit=lab.target --show-status=0
"""


def cgroup_folders(name: str) -> list[pathlib.Path]:
    return [CGROUPS / hierarchy / name for hierarchy in ("systemd", "unified") if (CGROUPS / hierarchy).is_dir()]


@pytest.fixture(scope="session")
def booted() -> dict:
    """What inside.py found, by the name of each step."""
    if os.geteuid() != 0:
        pytest.skip("booting a container needs root")
    if not shutil.which("systemd-nspawn"):
        pytest.skip("systemd-nspawn is not installed (package systemd-container)")
    name = f"hfboot{os.getpid()}"
    work = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-boot-"))
    work.chmod(0o755)
    try:
        for folder in ("root", "lab", "stage"):
            (work / folder).mkdir()
        subprocess.run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--quiet"], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "DESTDIR": str(work / "stage")})
        shutil.copy(HERE / "inside.py", work / "lab")
        (work / "lab.target").write_text(TARGET)
        (work / "holdfast-test.service").write_text(SERVICE)
        for folder in cgroup_folders(name):
            folder.mkdir()
        done = subprocess.run(["unshare", "-m", "--propagation", "private", "bash", "-c", BOOT, "boot", str(work), name,
                               str(uuid.uuid4())], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        results = work / "lab/results.json"
        output = work / "lab/output"
        if not results.exists():
            pytest.fail(f"the container gave no results:\n{done.stdout[-3000:]}{done.stderr[-2000:]}"
                        f"{output.read_text()[-5000:] if output.exists() else ''}")
        return json.loads(results.read_text())
    finally:
        for folder in cgroup_folders(name):
            # In a mount namespace of its own: a mistake here must not be able to detach a hierarchy of the machine's.
            subprocess.run(["unshare", "-m", "--propagation", "private", "find", str(folder), "-depth", "-type", "d", "-exec",
                            "rmdir", "{}", ";"], check=False, capture_output=True)
        shutil.rmtree(work, ignore_errors=True)
