"""Boots this machine's own Debian as a container with systemd as PID 1: a read-only view of / below a tmpfs overlay, so
nothing is downloaded and nothing of what happens inside reaches the disk. Half a second to the first line of the script."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import uuid

HERE = pathlib.Path(__file__).parent
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
ExecStart=/usr/bin/python3 /lab/{script}
StandardOutput=file:/lab/output
StandardError=file:/lab/output
TimeoutStartSec=250
"""
# In a mount namespace of its own: the bind mount of / is what systemd-nspawn takes instead of /, and goes with it.
BOOT = r"""
set -e
mount --bind / "$1/root"
for hierarchy in systemd unified; do
    [ ! -d /sys/fs/cgroup/$hierarchy ] || echo $$ > /sys/fs/cgroup/$hierarchy/$2/cgroup.procs
done
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_LOCK=0
exec timeout -k 5 300 systemd-nspawn --quiet --register=no --keep-unit --volatile=overlay --private-network --machine=$2 \
    --uuid=$3 --bind="$1/lab:/lab" --bind-ro="$1/stage:/stage" \
    --bind-ro="$1/lab.target:/etc/systemd/system/lab.target" \
    --bind-ro="$1/holdfast-test.service:/etc/systemd/system/holdfast-test.service" \
    --capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_NICE --console=read-only -D "$1/root" -b -- --unit=lab.target --show-status=0
"""


class NoResults(RuntimeError):
    pass


def lacking() -> str | None:
    if os.geteuid() != 0:
        return "booting a container needs root"
    return None if shutil.which("systemd-nspawn") else "systemd-nspawn is not installed (package systemd-container)"


def cgroup_folders(name: str) -> list[pathlib.Path]:
    return [CGROUPS / hierarchy / name for hierarchy in ("systemd", "unified") if (CGROUPS / hierarchy).is_dir()]


def boot(build: pathlib.Path, script: pathlib.Path, *files: pathlib.Path) -> dict:
    """Runs the script as root inside, with what `meson install` makes in /stage and the files beside it in /lab; gives what
    the script left in /lab/results.json."""
    name = f"hfboot{os.getpid()}"
    work = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-boot-"))
    work.chmod(0o755)
    try:
        for folder in ("root", "lab", "stage"):
            (work / folder).mkdir()
        subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--quiet"], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "DESTDIR": str(work / "stage")})
        for file in (script, HERE / "booted_host.py", *files):
            shutil.copy(file, work / "lab")
        (work / "lab.target").write_text(TARGET)
        (work / "holdfast-test.service").write_text(SERVICE.format(script=script.name))
        for folder in cgroup_folders(name):
            folder.mkdir()
        done = subprocess.run(["unshare", "-m", "--propagation", "private", "bash", "-c", BOOT, "boot", str(work), name,
                               str(uuid.uuid4())], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        results, output = work / "lab/results.json", work / "lab/output"
        if not results.exists():
            raise NoResults(f"the container gave no results:\n{done.stdout[-3000:]}{done.stderr[-2000:]}"
                            f"{output.read_text()[-5000:] if output.exists() else ''}")
        return json.loads(results.read_text())
    finally:
        for folder in cgroup_folders(name):
            # In a mount namespace of its own: a mistake here must not be able to detach a hierarchy of the machine's.
            subprocess.run(["unshare", "-m", "--propagation", "private", "find", str(folder), "-depth", "-type", "d", "-exec",
                            "rmdir", "{}", ";"], check=False, capture_output=True)
        shutil.rmtree(work, ignore_errors=True)
