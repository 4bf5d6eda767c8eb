"""The image's units and what sets a host up, as far as it shows without starting anything: podman's own Quadlet generator and
systemd's own verifier read them, and what the two ways to run the container ask for is the same."""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import image  # noqa: E402

ROOT = image.ROOT
QUADLET, PLAIN = ROOT / "container/quadlet", ROOT / "container/plain"
GENERATOR = "usr/libexec/podman/quadlet"


def lines_of(path: pathlib.Path) -> list[str]:
    return path.read_text().replace("\\\n", " ").splitlines()


def run_line(text: str) -> dict[str, set[str]]:
    """The options of `podman run` in ExecStart=, whatever way they are written."""
    line = next(line for line in text.replace("\\\n", " ").splitlines() if line.startswith("ExecStart=/usr/bin/podman run"))
    words = shlex.split(line.split("podman run", 1)[1])
    last = next(i for i, word in enumerate(words) if word.startswith("registry.example/") or word.startswith("localhost/"))
    options: dict[str, set[str]] = {"image": {words[last]}, "arguments": set(words[last + 1:])}
    words = words[:last]
    flags = {"--replace", "--rm", "-d", "--detach", "--read-only"}
    long = {"-v": "--volume", "-d": "--detach"}
    while words:
        word = words.pop(0)
        name, _, value = word.partition("=")
        if not _ and name not in flags:
            value = words.pop(0)
        options.setdefault(long.get(name, name), set()).add(value.lower() if "cap" in name else value)
    return options


@pytest.fixture(scope="module")
def generator():
    if os.geteuid() != 0:
        pytest.skip("a root file system is entered by root")
    if not (image.HOST / GENERATOR).exists():
        try:
            image.need("mmdebstrap")
            image.CACHE.mkdir(exist_ok=True)
            image.bootstrap(image.HOST, image.HOST_PACKAGES)
        except image.Unavailable as reason:
            pytest.skip(str(reason))

    def generate(folder: pathlib.Path) -> tuple[dict[str, str], str]:
        """The services by name, and what the generator had to say."""
        script = 'mount -t tmpfs t "$1/mnt" && cp -r "$2"/. "$1/mnt" && exec chroot "$1" env -i QUADLET_UNIT_DIRS=/mnt /' + GENERATOR + " --dryrun"
        done = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", str(image.HOST), str(folder)],
                              capture_output=True, text=True, check=False)
        services = dict(re.findall(r"^---(\S+)---\n(.*?)(?=^---\S+---$|\Z)", done.stdout, re.MULTILINE | re.DOTALL))
        said = "\n".join(line for line in done.stderr.splitlines() if "Loading source" not in line)
        return services, f"{said}{'' if done.returncode == 0 else f' status {done.returncode}'}"
    return generate


@pytest.fixture
def alone(tmp_path):
    for file in QUADLET.glob("*.*"):
        if file.is_file():
            shutil.copy(file, tmp_path)
    return tmp_path


@pytest.fixture
def in_pod(alone):
    shutil.copytree(QUADLET / "pod", alone, dirs_exist_ok=True)
    return alone


def test_podmans_generator_takes_every_unit(alone, generator):
    services, said = generator(alone)
    assert said.strip() == ""
    assert set(services) == {"holdfast.service", "holdfast-state-volume.service", "holdfast-metrics.service"}
    assert "network-online" not in "".join(line for line in services["holdfast.service"].splitlines() if not line.startswith("#"))


def test_the_pod_is_nginxs_and_holdfast_is_beside_it(alone, in_pod, generator):
    services, said = generator(in_pod)
    assert said.strip() == "" and "BindsTo=web-pod.service" in services["nginx.service"]
    assert "web-pod" not in services["holdfast.service"] and run_line(services["holdfast.service"])["--network"] == {"host"}
    assert re.search(r"After=.*nginx\.service", services["holdfast.service"]), "the address leaves before nginx stops"
    assert "--network host" in services["web-pod.service"] and services["web-pod.service"].index("--exit-policy=continue")


@pytest.mark.parametrize("name", ["holdfast.service", "holdfast-metrics.service"])
def test_the_plain_unit_runs_what_quadlet_runs(name, alone, generator):
    generated = generator(alone)[0][name]
    plain = (PLAIN / name).read_text()
    assert run_line(plain) == run_line(generated)
    kept = lambda text: {line for line in text.replace("\\\n", " ").split("[Service]", 1)[1].split("\n[", 1)[0].splitlines()
                         if "=" in line and not line.startswith(("#", "ExecStart=", "ExecStartPre=/bin/rm"))}
    assert kept(plain) == kept(generated)


def test_the_container_has_two_capabilities_and_is_nobodys_root(alone, generator):
    options = run_line(generator(alone)[0]["holdfast.service"])
    assert options["--cap-drop"] == {"all"} and options["--cap-add"] == {"net_admin", "net_raw"}
    assert options["--security-opt"] >= {"no-new-privileges"} and "--read-only" in options
    assert not any(user.startswith("0") for user in options["--user"])


def test_watchdog_and_descriptors_find_their_way_past_podman(alone, generator):
    text = generator(alone)[0]["holdfast.service"]
    options = run_line(text)
    seconds = re.search(r"^WatchdogSec=(\d+)$", text, re.MULTILINE)[1]
    assert f"WATCHDOG_USEC={seconds}000000" in options["--env"]
    own = next(value for value in options["--env"] if value.startswith("HOLDFAST_NOTIFY_SOCKET="))
    assert f"{own.split('=')[1]}:{own.split('=')[1]}" in options["--volume"]
    assert options["--sdnotify"] == {"container"}


def test_systemd_finds_nothing_wrong_with_the_plain_units(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed (package systemd)")
    for file in (*PLAIN.glob("*.service"), ROOT / "systemd/holdfast-metrics.socket"):
        shutil.copy(file, tmp_path)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())], capture_output=True, text=True,
                          check=False)
    wrong = [line for line in done.stderr.splitlines() if "holdfast" in line and "is not executable" not in line]
    assert not wrong


# ---- what sets a host up --------------------------------------------------------------------------------------------------


@pytest.fixture
def share(tmp_path):
    """What the image has below /usr/share/holdfast."""
    share = tmp_path / "share"
    shutil.copytree(QUADLET, share / "quadlet")
    shutil.copytree(PLAIN, share / "plain")
    for source, target in (("dbus/org.holdfast1.conf", "system.d"), ("systemd/holdfast.sysusers", "sysusers.d/holdfast.conf"),
                           ("systemd/holdfast.catalog", "catalog"), ("systemd/holdfast.zh_CN.catalog", "catalog"),
                           ("dbus/org.holdfast1.policy", "actions"), ("systemd/holdfast.rules", ""), ("systemd/modules-load.conf", ""), ("systemd/holdfast-metrics.socket", "")):
        place = share / target
        (place.parent if target.endswith(".conf") else place).mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, place)
    return share


def host_setup(share: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["sh", str(ROOT / "container/host-setup"), *arguments], capture_output=True, text=True, check=False,
                          env={**os.environ, "HOLDFAST_SHARE": str(share)})


def play_on_a_host(script: str, root: pathlib.Path, quadlet: bool) -> str:
    """The script in a mount namespace whose /etc, /usr/local and /run are `root`'s; what would change this machine is not there."""
    for folder in ("etc", "local/bin", "run", "bin", "actions"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for command in ("systemctl", "journalctl", "modprobe", "systemd-sysusers"):
        (root / "bin" / command).write_text("#!/bin/sh\necho called: $0 $* >&2\n")
        (root / "bin" / command).chmod(0o755)
    (root / "bin/id").write_text("#!/bin/sh\ncase $* in -u) echo 0 ;; '-u holdfast') echo 991 ;; *) echo 992 ;; esac\n")
    (root / "bin/id").chmod(0o755)
    generator = "/usr/lib/systemd/system-generators"
    (root / "generators").mkdir(exist_ok=True)
    if quadlet:
        (root / "generators/podman-system-generator").write_text("")
    actions = "/usr/share/polkit-1/actions"
    if not pathlib.Path(actions).is_dir():
        pytest.skip(f"{actions} is not there (package polkitd)")
    mounts = f'mount --bind "$1/etc" /etc && mount --bind "$1/actions" {actions} && mount --bind "$1/local" /usr/local && mount --bind "$1/run" /run && ' \
             f'mount --bind "$1/generators" {generator} && PATH="$1/bin:$PATH" exec sh'
    done = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", mounts, "sh", str(root)], input=script, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the script is for root")


@needs_root
def test_the_script_writes_what_a_quadlet_host_needs(share, tmp_path):
    made = host_setup(share, "registry.example/other:2", "--pod", "registry.example/web:3")
    assert made.returncode == 0, made.stderr
    host = tmp_path / "host"
    said = play_on_a_host(made.stdout, host, quadlet=True)
    unit = (host / "etc/containers/systemd/holdfast.container").read_text()
    assert "\nImage=registry.example/other:2\n" in unit and "\nUser=991\nGroup=992\n" in unit and "AutoUpdate=registry" in unit
    assert "\nGroup=992\n" in (host / "etc/containers/systemd/holdfast-metrics.container").read_text()
    assert "\nImage=registry.example/web:3\n" in (host / "etc/containers/systemd/nginx.container").read_text()
    assert (host / "etc/dbus-1/system.d/org.holdfast1.conf").read_text() == (ROOT / "dbus/org.holdfast1.conf").read_text()
    assert (host / "actions/org.holdfast1.policy").read_text() == (ROOT / "dbus/org.holdfast1.policy").read_text()
    assert (host / "local/lib/systemd/catalog/holdfast.catalog").read_text() == (ROOT / "systemd/holdfast.catalog").read_text()
    assert not (host / "etc/systemd/system/holdfast.service").exists()
    assert "systemctl daemon-reload" in said and "systemctl reload dbus" in said and "kept" not in said


@needs_root
def test_a_host_without_quadlet_gets_the_plain_units(share, tmp_path):
    host = tmp_path / "host"
    play_on_a_host(host_setup(share, "localhost/holdfast:1").stdout, host, quadlet=False)
    unit = (host / "etc/systemd/system/holdfast.service").read_text()
    assert "localhost/holdfast:1 --restart-takes=3s\n" in unit and "--user=991:992" in unit and "autoupdate=local" in unit
    assert not (host / "etc/containers").exists()


@needs_root
def test_a_unit_that_somebody_changed_stays(share, tmp_path):
    host, script = tmp_path / "host", host_setup(share, "registry.example/holdfast:1").stdout
    play_on_a_host(script, host, quadlet=True)
    unit = host / "etc/containers/systemd/holdfast.container"
    unit.write_text(unit.read_text().replace("#Secret=", "Secret="))
    said = play_on_a_host(script, host, quadlet=True)
    assert "\nSecret=" in unit.read_text() and "\n#Secret=" in unit.with_name("holdfast.container.new").read_text()
    assert "kept /etc/containers/systemd/holdfast.container" in said


@pytest.mark.parametrize("arguments", [(), ("--pod",), ("name; reboot",), ("one", "two"), ("a$(b)",)])
def test_what_is_no_image_is_refused(share, arguments):
    done = host_setup(share, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "IMAGE" in done.stderr or "no name of an image" in done.stderr
