#!/usr/bin/python3
"""Makes what the sidecar's lab needs and keeps it below build-container/, so that only the first time is long: a base image and a
host's root file system from Debian's own packages (mmdebstrap), the image of container/Containerfile, an nginx.

    sudo tests/container/image.py        makes what is missing or out of date, and says how large the image's own layers are
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("HOLDFAST_CONTAINER_CACHE", ROOT / "build-container"))
HOST = CACHE / "host"  # what a host of the lab boots
STORE = CACHE / "images"
ARCHIVE = CACHE / "images.tar"  # what a host of the lab loads: both images
IMAGE, NGINX, BASE = "localhost/holdfast:lab", "localhost/nginx:lab", "localhost/debian:13-slim"
BUILD = "localhost/holdfast-build:lab"
STAGE = CACHE / "stage.tar"  # what `meson install` makes there, for the hosts without containers
MOST_MEGABYTES = 60  # of the image's own layers

SUITE = "trixie"
# Of a host: systemd 257 and podman 5, nginx and the daemon's libraries for the host install that the container is compared with.
HOST_PACKAGES = ("systemd systemd-sysv dbus iproute2 nginx-light podman catatonit crun netavark conmon nftables procps kmod ca-certificates "
                 "polkitd libsdbus-c++2 libnl-3-200 libnl-genl-3-200 libyaml-cpp0.8 libfmt10 libcurl4t64 libpcre2-8-0 libssl3t64").split()
BASE_PACKAGES = ["ca-certificates"]


class Unavailable(Exception):
    """This machine can't make it; the text says why."""


def run(*command, **more) -> str:
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, check=False, **more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout[-6000:]}")
    return done.stdout


def storage() -> dict[str, str]:
    """podman's environment: a store of its own, so that nothing of this machine's is touched."""
    configuration = CACHE / "storage.conf"
    text = f'[storage]\ndriver = "overlay"\ngraphroot = "{STORE}"\nrunroot = "{CACHE}/run"\n'
    if not configuration.exists() or configuration.read_text() != text:
        shutil.rmtree(STORE / "libpod", ignore_errors=True)  # podman remembers where the store was, and goes on using that
        configuration.write_text(text)
    temporary = CACHE / "tmp"
    temporary.mkdir(exist_ok=True)
    return {**os.environ, "CONTAINERS_STORAGE_CONF": str(configuration), "TMPDIR": str(temporary)}


def podman(*arguments) -> str:
    return run("podman", *arguments, env=storage())


def need(*programs: str):
    for program in programs:
        if not shutil.which(program):
            raise Unavailable(f"{program} is not installed (Debian's package {program}): ./dev installs it")
    if os.geteuid() != 0:
        raise Unavailable("building root file systems and images needs root")


def bootstrap(target: pathlib.Path, packages: list[str]):
    """Debian's packages below `target` (or in it, a .tar), if they are not these already."""
    stamp = target.with_name(target.name + ".stamp")
    wanted = hashlib.sha256(" ".join([SUITE, *packages]).encode()).hexdigest()
    if target.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"container: {target.name} from {len(packages)} packages of {SUITE}", flush=True)
    if target.is_dir():
        shutil.rmtree(target)
    options = ['--aptopt=Apt::Install-Recommends "false"', "--dpkgopt=path-exclude=/usr/share/man/*",
               "--dpkgopt=path-exclude=/usr/share/locale/*"]
    try:
        run("mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", *options, SUITE, target)
    except RuntimeError as error:
        raise Unavailable(f"mmdebstrap could not make {target.name}: {str(error).strip().splitlines()[-1]}") from error
    if target.is_dir():
        (target / "etc/hostname").unlink(missing_ok=True)  # this machine's: each host has its own
    stamp.write_text(wanted)


def import_base():
    if subprocess.run(["podman", "image", "exists", BASE], env=storage(), check=False).returncode:
        bootstrap(CACHE / "base.tar", BASE_PACKAGES)
        podman("import", "--change", 'CMD ["bash"]', CACHE / "base.tar", BASE)


def build(tag: str, file: pathlib.Path, *options: str):
    """Layers that are there already are taken, and what has to be compiled again is asked of ccache first."""
    podman("build", "--pull=never", "--isolation=chroot", "--network=host", "--format=docker", "--layers", *options,
           f"--build-arg=BASE={BASE}", "-f", file, "-t", tag, ROOT)


def archive():
    """An update is looked for in a host's own store alone, so each host loads the images, as after a pull."""
    stamp = ARCHIVE.with_name(ARCHIVE.name + ".stamp")
    wanted = podman("image", "inspect", "--format={{.Id}}", IMAGE, NGINX)
    if ARCHIVE.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    ARCHIVE.unlink(missing_ok=True)
    podman("save", "--multi-image-archive", "--output", ARCHIVE, IMAGE, NGINX)
    stamp.write_text(wanted)


def take_stage():
    """The build's stage of the image, before the image leaves out what a container has no use for."""
    build(BUILD, ROOT / "container/Containerfile", "--target=build")
    stamp = STAGE.with_name(STAGE.name + ".stamp")
    wanted = podman("image", "inspect", "--format={{.Id}}", BUILD)
    if STAGE.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    STAGE.unlink(missing_ok=True)
    made = podman("create", BUILD, "true").split()[-1]
    try:
        podman("cp", f"{made}:/stage", CACHE / "stage")
    finally:
        podman("rm", made)
    run("tar", "-C", CACHE / "stage", "-cf", STAGE, ".")
    shutil.rmtree(CACHE / "stage")
    stamp.write_text(wanted)


def layers() -> list[int]:
    """The sizes in bytes of what the image adds to its base."""
    base = len(json.loads(podman("image", "inspect", BASE))[0]["RootFS"]["Layers"])
    history = [entry for entry in json.loads(podman("history", "--format=json", IMAGE)) if entry["size"]]
    sizes = [entry["size"] for entry in history][::-1]
    return sizes[base:]


def make(options: list[str] | None = None):
    need("podman", "mmdebstrap", "crun")
    CACHE.mkdir(exist_ok=True)
    bootstrap(HOST, HOST_PACKAGES)
    import_base()
    build(NGINX, ROOT / "tests/container/nginx.Containerfile")
    build(IMAGE, ROOT / "container/Containerfile", *(options or []))
    take_stage()
    archive()


def main() -> int:
    try:
        make(sys.argv[1:])
    except Unavailable as reason:
        print(reason)
        return 77
    sizes = layers()
    print(f"container: {IMAGE}: {sum(sizes) / 1e6:.1f} MB of its own in {len(sizes)} layers ({MOST_MEGABYTES} MB allowed)")
    return 0 if sum(sizes) <= MOST_MEGABYTES * 1e6 else 1


if __name__ == "__main__":
    sys.exit(main())
