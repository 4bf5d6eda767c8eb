#!/usr/bin/python3
"""A virtual machine with Debian's own kernel, for what the kernel of the build machine may lack: VRF, ipvlan, IPVS, ILA.

It runs, in one boot, every netns test that is marked `@pytest.mark.kernel("module", ...)`: the modules are loaded inside, so
that there a missing one is a failure, while `./dev test netns` leaves these tests out. To add a test, write it in
tests/netns with the fixtures of its conftest.py and mark it; nothing here has to know of it.

The root of the machine is this machine's, read-only (9p) below a tmpfs (overlay): the same Python, programs and build. The
kernel is the package's, unpacked in build-vm/kernel by `./dev test vm` and never installed. QEMU emulates the processor
(TCG), so /dev/kvm is not needed, and `-icount` ties the machine's clock to its instructions: however busy this machine is,
a test sees an even 1,000 million of them a second, and its timing holds.

    machine.py [--results FILE] [PYTEST ARGUMENTS]     FILE: a JSON object a line, {"name", "verdict", "reason"}

Status 77 and a last line with the reason: what it needs is not here. tests/container/machine_sidecar.py boots the same
machine with another root, and systemd in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HOLDFAST_BUILD", ROOT / "build")).resolve()
KERNEL = ROOT / "build-vm/kernel"
CHOSEN = ["-m", "kernel", str(ROOT / "tests/netns")]
LIMIT = int(os.environ.get("HOLDFAST_VM_LIMIT", "2400"))  # seconds of this machine's time for boot and tests together

# The first process: loads what the root needs, puts a tmpfs over it and goes there. This machine's own root is in /lo, and
# what came with the machine in /lab: results go there.
FIRST = """#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run
while read -r module; do insmod /modules/$module || echo "no $module"; done < /modules/order
mkdir -p /lo /lower /rw /newroot
share='trans=virtio,version=9p2000.L,msize=524288'
mount -t 9p -o $share,cache=loose,ro host /lo || exec sh
mount -t tmpfs -o size=80% rw /rw; mkdir /rw/upper /rw/work
mount --bind /lo{root} /lower
mount -t overlay -o lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work overlay /newroot
mkdir -p /newroot/lab /newroot/lo
mount -t 9p -o $share,cache=none,rw lab /newroot/lab
mount -n --move /lo /newroot/lo
exec switch_root /newroot /bin/sh /lab/second
"""
# The second: the folders that belong to a running system, then the tests. What they leave running ends with the machine.
SECOND = """
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
for folder in /tmp /var/tmp /run /dev/shm; do mkdir -p $folder; mount -t tmpfs -o mode=1777 tmp $folder; done
chmod 755 /run; mkdir -p /run/netns /dev/pts; mount -t devpts pts /dev/pts
ln -s /proc/self/fd /dev/fd; ln -s fd/0 /dev/stdin
for folder in {folders}; do mkdir -p $folder; mount --bind /lo$folder $folder; done
rm -rf /lib/modules/$(uname -r); mkdir -p /lib/modules; ln -s {kernel}/lib/modules/$(uname -r) /lib/modules/
ip link set lo up; hostname machine; cd {root}
{environment} /usr/bin/python3 {root}/tests/vm/inside.py {arguments} > /lab/output 2>&1
sync; echo o > /proc/sysrq-trigger; sleep 60
"""
PROGRAMS = ["sh", "mount", "mkdir", "insmod", "switch_root"]
DRIVERS = ["virtio_pci", "9pnet_virtio", "9p", "overlay"]
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def missing() -> str | None:
    for program, package in (("qemu-system-x86_64", "qemu-system-x86"), ("cpio", "cpio"), ("modprobe", "kmod"),
                             ("setpriv", "util-linux")):
        if not shutil.which(program, path=PATH):
            return f"{program} is not installed (package {package})"
    if not list(KERNEL.glob("boot/vmlinuz-*")):
        return f"there is no kernel in {KERNEL}: ./dev test vm fetches it"
    if os.uname().machine != "x86_64":
        return f"the machine is an x86_64 one, and its programs are this machine's, which is {os.uname().machine}"
    return None


def libraries(program: str) -> list[str]:
    words = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.split()
    return [word for word in words if word.startswith("/")]


def first_root(directory: pathlib.Path, release: str, lower: pathlib.Path) -> pathlib.Path:
    """An initramfs: five programs of this machine, their libraries, and the modules that lead to the real root."""
    root = directory / "first"
    (root / "modules").mkdir(parents=True)
    for folder in ("bin", "proc", "sys", "dev", "run"):
        (root / folder).mkdir()
    for name in PROGRAMS:
        program = shutil.which(name, path=PATH)
        shutil.copy(program, root / "bin" / name)
        for library in libraries(program):
            target = root / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
    order: list[str] = []
    for driver in DRIVERS:
        lines = subprocess.run(["modprobe", "-d", str(KERNEL), "-S", release, "--show-depends", driver], capture_output=True,
                               text=True, check=True, env={**os.environ, "PATH": PATH}).stdout.splitlines()
        for path in (pathlib.Path(line.split()[1]) for line in lines if line.startswith("insmod")):
            if path.name not in order:
                order.append(path.name)
                shutil.copy(path, root / "modules")
    (root / "modules/order").write_text("".join(f"{name}\n" for name in order))
    (root / "init").write_text(FIRST.format(root=shlex.quote(str(lower))))
    (root / "init").chmod(0o755)
    image = directory / "first.cpio"
    with open(image, "wb") as out:
        names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=names.encode(), stdout=out, cwd=root, check=True)
    return image


def quote(words) -> str:
    return " ".join(shlex.quote(str(word)) for word in words)


def second(arguments: list[str]) -> str:
    environment = {"HOLDFAST_BUILD": str(BUILD), "HOLDFAST_VM": "1", "PYTHONPATH": f"{ROOT}/tests/lab",
                   "PYTHONDONTWRITEBYTECODE": "1",
                   **{key: value for key, value in os.environ.items() if key == "HOLDFAST_CONNECTIONS"}}
    return SECOND.format(folders=quote(dict.fromkeys([ROOT, BUILD])), kernel=shlex.quote(str(KERNEL)),
                         root=shlex.quote(str(ROOT)), environment=quote(f"{key}={value}" for key, value in environment.items()),
                         arguments=quote(arguments))


def command(directory: pathlib.Path, kernel: pathlib.Path, image: pathlib.Path) -> list[str]:
    share = lambda name, path, *options: ["-fsdev", ",".join([f"local,id={name},path={path},security_model=none", *options]),
                                          "-device", f"virtio-9p-pci,fsdev={name},mount_tag={name}"]
    # setpriv: the machine ends with this program, however that ends.
    return ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-accel", "tcg", "-icount", "shift=0", "-cpu", "max",
            "-smp", "1", "-m", "2048", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", str(kernel), "-initrd", str(image),
            "-append", "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off random.trust_cpu=on",
            *share("host", "/", "readonly=on", "multidevs=remap"), *share("lab", directory / "lab"),
            "-device", "virtio-rng-pci", "-serial", f"file:{directory}/console"]


def read_results(file: pathlib.Path) -> list[dict]:
    """A test that began and did not end is a failure: the machine stopped in it."""
    results, running = [], None
    for line in file.read_text().splitlines() if file.exists() else []:
        entry = json.loads(line)
        running = entry.get("began")
        if "name" in entry:
            results.append(entry)
    if running:
        results.append({"name": running, "verdict": "failed", "reason": "the machine ended in the middle of it"})
    return results


def tail(file: pathlib.Path, size: int) -> str:
    return file.read_text(errors="replace")[-size:] if file.exists() else ""


def boot(script: str, root: pathlib.Path = pathlib.Path("/")) -> list[dict]:
    """Runs the script as PID 1 of a machine with that folder of this machine as its root; the results that inside.py wrote."""
    kernel = sorted(KERNEL.glob("boot/vmlinuz-*"))[-1]
    directory = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-vm-"))
    began = time.monotonic()
    try:
        (directory / "lab").mkdir()
        (directory / "lab/second").write_text(script)
        image = first_root(directory, kernel.name.removeprefix("vmlinuz-"), root)
        machine = subprocess.Popen(command(directory, kernel, image), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace", env={**os.environ, "PATH": PATH})
        said = ""
        try:
            said, _ = machine.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            said = f"still running after {LIMIT} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                machine.kill()
            machine.wait()
        results = read_results(directory / "lab/results")
        print(tail(directory / "lab/output", 12000))
        status = tail(directory / "lab/finished", 10)  # pytest's: 1 is a test that failed
        if not status:
            print(tail(directory / "console", 4000), said)
        if status not in ("0", "1"):
            results.append({"name": "the machine", "verdict": "failed", "reason": f"pytest ended with status {status}" if status else
                            f"it ended after {time.monotonic() - began:.0f} s without finishing the tests"})
        return results
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def report(results: list[dict], file: pathlib.Path | None) -> int:
    """Writes them where they were asked for; the status to end with."""
    if file:
        file.write_text("".join(json.dumps(result) + "\n" for result in results))
    return 1 if any(result["verdict"] == "failed" for result in results) else 0


def main(missing, play) -> int:
    """`[--results FILE] [ARGUMENT ...]`: boots what `play` makes of the arguments; 77 where something is missing."""
    arguments = sys.argv[1:]
    file = None
    if arguments[:1] == ["--results"]:
        file, arguments = pathlib.Path(arguments[1]), arguments[2:]
    if reason := missing():
        print(reason)
        return 77
    return report(play(arguments), file)


if __name__ == "__main__":
    sys.exit(main(missing, lambda chosen: boot(second(chosen or CHOSEN))))
