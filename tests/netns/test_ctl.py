"""holdfastctl beside real daemons: what it prints, and how it ends."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time

import pytest
from conftest import Pair
from world import BUILD, wait_for

PROGRAM = str(BUILD / "src/ctl/holdfastctl")


def ctl(host, *arguments: str, env_more: dict | None = None, **more) -> subprocess.CompletedProcess:
    environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": host.bus_address, "LC_ALL": "C.UTF-8", **(env_more or {})}
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, env=environment, timeout=20, check=False, **more)


def error_of(done: subprocess.CompletedProcess) -> dict:
    return json.loads(done.stderr)


def both_families(world) -> Pair:
    pair = Pair(world, start=False)
    pair.text = pair.text.replace("[10.77.0.100/24]", "[10.77.0.100/24, fd77::100/64]")
    world.configure(pair.text)
    pair.start()
    wait_for(lambda: all(i["State"] == "master" for i in pair.lb1.status()["Instances"]), 5, "both families on lb1")
    return pair


def test_everything_that_shows_agrees_and_a_pairs_name_means_both(world):
    pair = both_families(world)
    host = pair.lb1
    assert sorted(ctl(host, "--complete").stdout.split()) == ["web", "web/ipv4", "web/ipv6"]
    assert [i["Name"] for i in json.loads(ctl(host, "list", "--json=short").stdout)] == ["web/ipv4", "web/ipv6"]
    assert len(json.loads(ctl(host, "show", "web", "--json").stdout)) == 2
    assert ctl(host, "show", "web/ipv6", "-p", "State", "-p", "VirtualRouterId", "--value").stdout == "master\n51\n"
    assert ctl(host, "show", "web", "-p", "Family").stdout == "Family=ipv4\n\nFamily=ipv6\n"
    heading, *rows = ctl(host, "list").stdout.splitlines()
    assert heading.split() == ["NAME", "STATE", "INTERFACE", "VRID", "PRIORITY", "ADDRESS"]
    assert rows[0].split() == ["web/ipv4", "master", "eth0", "51", "250", "10.77.0.100/24"]
    text = ctl(host, "status").stdout
    assert "● web/ipv4  master for " in text and "\x1b" not in text
    assert "10.77.0.100/24 assigned, lease " in text and "250 = 250" in text and "this host (10.77.0.1)" in text
    assert text.startswith("● lb1  running") and f"{world.directory}/holdfast.yaml (" in text
    assert "web/ipv4" not in ctl(host, "status", "web/ipv6").stdout

    done = ctl(host, "failover", "web", "--json=short")
    assert done.returncode == 0, done.stderr
    assert "Result" in json.loads(done.stdout)
    assert {i["State"] for i in host.status()["Instances"]} == {"backup"}


def at_terminal(host, *arguments: str, columns: int = 80, **environment: str) -> str:
    """What a terminal of this width gets."""
    environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": host.bus_address, "LC_ALL": "C.UTF-8", "TERM": "xterm", "COLUMNS": str(columns), **environment}
    controller, terminal = os.openpty()
    done = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal, env=environment, timeout=20, check=False)
    os.close(terminal)
    text = b""
    with contextlib.suppress(OSError):  # at its end
        while part := os.read(controller, 65536):
            text += part
    os.close(controller)
    assert done.returncode == 0, text
    return text.decode().replace("\r\n", "\n")


def test_a_terminal_gets_a_pager_colours_and_lines_that_fit(world):
    host = Pair(world).lb1
    upper = "tr a-z A-Z"
    # What a terminal gets goes through the pager that is wanted, and only that.
    assert "WEB" in at_terminal(host, "list", SYSTEMD_PAGER=upper) and "web" in at_terminal(host, "list", PAGER=upper, SYSTEMD_PAGER="cat")
    assert "web" in at_terminal(host, "list") and "web" in at_terminal(host, "list", "--no-pager", PAGER=upper) and "web" in at_terminal(host, "list", PAGER="/no/such/pager")
    assert "web" in at_terminal(host, "priority", "web", "reset", PAGER=upper), "an order is not paged"
    assert "WEB" not in ctl(host, "list", env_more={"PAGER": upper}).stdout
    # Who leaves the pager before the end has seen enough: that is no failure.
    assert at_terminal(host, "show", "web", PAGER="head -n 1").count("\n") == 1
    heading, row = at_terminal(host, "list", "--no-pager", columns=30).splitlines()
    assert heading == "NAME  STATE   INTERFACE  VRID…" and len(row) == 30
    assert "10.77.0.100/24" in at_terminal(host, "list", "--no-pager", "--full", columns=30)
    assert "10.77.0.100/24" in at_terminal(host, "list", columns=30, PAGER="head"), "a pager has its own way with long lines"
    assert "NAME" not in ctl(host, "list", "--no-legend").stdout and "web" in ctl(host, "list", "--no-legend").stdout
    for said, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": "1", "SYSTEMD_COLORS": "1"}, True), ({"SYSTEMD_COLORS": "0"}, False),
                           ({"TERM": "dumb"}, False), ({"SYSTEMD_COLORS": "auto-16"}, True)):
        assert ("\x1b[" in at_terminal(host, "status", "--no-pager", **said)) == coloured, said
    assert "\x1b[" not in at_terminal(host, "status", "--no-pager", "--no-color")
    assert "\x1b[" in ctl(host, "status", env_more={"SYSTEMD_COLORS": "1"}).stdout


def test_servers_and_trackers_are_listed_too(world):
    host = Pair(world, instance_extra="    track: [cable]\n", extra="trackers:\n  cable: {interface: eth0}\nvirtual_servers:\n  http:\n    kind: nginx\n"
                "    real_servers: {a: {address: 10.77.0.1:80}}\n").lb1
    assert ctl(host, "list", "instances").stdout == ctl(host, "list").stdout
    heading, row = ctl(host, "list", "servers").stdout.splitlines()
    assert heading.split() == ["NAME", "STATE", "WEIGHT", "ADDRESS", "DETAIL"] and row.split() == ["http/a", "up", "1", "10.77.0.1"]
    heading, row = ctl(host, "list", "trackers").stdout.splitlines()
    assert heading.split() == ["NAME", "KIND", "STATE", "SINCE", "DETAIL"] and row.split()[:3] == ["cable", "interface", "up"]
    assert [t["Name"] for t in json.loads(ctl(host, "list", "trackers", "--json").stdout)] == ["cable"]
    assert ctl(host, "list", "planets").returncode == 2


def test_json_on_one_line_on_many_or_not_at_all(world):
    pair = Pair(world)
    one, many, after = (ctl(pair.lb1, *a).stdout for a in (["status", "--json=short"], ["status", "--json"], ["--json", "status", "web"]))
    assert one.count("\n") == 1 and many.count("\n") > 20
    assert json.loads(one).keys() == json.loads(many).keys() == json.loads(after).keys()
    assert ctl(pair.lb1, "list", "--json=off").stdout.startswith("NAME")
    assert ctl(pair.lb1, "list", "--json=no").returncode == 2


@pytest.mark.parametrize("style", ["text", "json"])
def test_monitor_shows_the_failover_at_once_and_ends_at_an_interrupt(world, style):
    pair = Pair(world)
    process = pair.lb1.spawn("monitor", PROGRAM, "monitor", "web", *(["--json"] if style == "json" else []))
    time.sleep(0.5)  # it subscribes before it asks, and says nothing when nothing happens
    done = ctl(pair.lb1, "failover", "web", "--hold", "60s")
    assert (done.returncode, done.stderr) == (0, "")
    assert "10.77.0.2 is now master of 'web'" in done.stdout and "1min" in done.stdout
    if style == "text":
        wait_for(lambda: "web: master -> backup: failover" in pair.lb1.log("monitor"), 2, "the line of the failover")
    else:
        wait_for(lambda: "StateChanged" in pair.lb1.log("monitor"), 2, "the line of the failover")
        events = [json.loads(line) for line in pair.lb1.log("monitor").splitlines()]
        edge = next(e for e in events if e["Event"] == "StateChanged")
        assert (edge["Name"], edge["Old"], edge["New"], edge["Reason"]) == ("web", "master", "backup", "failover")
        changed = next(e["Properties"] for e in events if "State" in e.get("Properties", {}))
        assert changed["State"] == "backup" and changed["StateReason"]["Code"] == "failover"
        assert changed["Addresses"][0]["Address"] == "10.77.0.100/24"
    process.kill(signal.SIGINT)
    assert process.wait(2) == 0


def test_a_takeover_is_at_once_and_lasts_until_it_is_handed_back(world):
    pair = Pair(world)
    taken = ctl(pair.lb2, "takeover", "web")
    assert taken.returncode == 0 and "priority 254" in taken.stdout, taken.stderr
    pair.wait_on("lb2", 3)
    contributions = pair.lb2.status()["Instances"][0]["PriorityContributions"]
    assert contributions[-1]["Tracker"] == "(takeover)", contributions
    time.sleep(0.5)  # five intervals: whoever was preempted does not come back
    assert pair.lb2.has(pair.vip) and not pair.lb1.has(pair.vip)
    assert "already" in ctl(pair.lb2, "takeover", "web").stdout
    assert ctl(pair.lb2, "failover", "web").returncode == 0
    pair.wait_on("lb1", 3)
    assert "(takeover)" not in str(pair.lb2.status()["Instances"][0]["PriorityContributions"])


def test_a_priority_by_hand_decides_until_it_is_reset(world):
    pair = Pair(world)
    assert ctl(pair.lb2, "priority", "web", "254").returncode == 0
    pair.wait_on("lb2", 3)
    assert ctl(pair.lb2, "show", "web", "-p", "EffectivePriority", "--value").stdout == "254\n"
    assert ctl(pair.lb2, "priority", "web", "reset").returncode == 0
    pair.wait_on("lb1", 3)
    for wrong in ("0", "255", "high"):
        assert ctl(pair.lb2, "priority", "web", wrong).returncode == 2


def test_announcements_on_command_are_the_masters(world):
    pair = Pair(world)
    before = pair.lb1.status()["Instances"][0]["Counters"]["announcements_sent"]
    assert "1 address" in ctl(pair.lb1, "announce", "web").stdout
    wait_for(lambda: pair.lb1.status()["Instances"][0]["Counters"]["announcements_sent"] > before, 3, "an announcement")
    assert error_of(ctl(pair.lb2, "announce", "web", "--json"))["Error"] == "org.holdfast1.Error.NotMaster"


def test_another_host_is_reached_as_systemctl_reaches_it(world, tmp_path):
    """A stand-in for ssh: it runs what sd-bus asks ssh to run, on the bus of that name."""
    pair = Pair(world)
    stand_in = tmp_path / "ssh"
    stand_in.write_text("#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\n"
                        "[ \"$2\" = admin@lb2 ] || { echo \"ssh: unknown host $2\" >&2; exit 255; }\n"
                        f"shift 2; exec \"$@\" --bus-path={pair.lb2.bus_address}\n")
    stand_in.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere"}
    remote = lambda host: subprocess.run([PROGRAM, "-H", host, "list"], capture_output=True, text=True, env=environment,
                                         timeout=20, check=False)
    assert "backup" in remote("admin@lb2").stdout
    done = remote("admin@lb9")
    assert done.returncode == 3 and "lb9" in done.stderr, done


def test_failovers_that_cannot_be_say_why(world):
    pair = Pair(world)
    done = ctl(pair.lb2, "failover", "web")
    assert done.returncode == 1 and done.stderr.startswith("holdfastctl: ") and "nothing to hand over" in done.stderr
    assert error_of(ctl(pair.lb2, "failover", "web", "--json"))["Error"] == "org.holdfast1.Error.NotMaster"
    pair.lb2.holdfastd.kill(signal.SIGTERM)
    pair.lb2.holdfastd.wait()
    done = ctl(pair.lb1, "failover", "web")
    assert done.returncode == 1 and "no successor in " in done.stderr and done.stdout == ""
    assert ctl(pair.lb1, "failover", "web", "--hold", "5x").returncode == 2


def test_names_that_there_are_not(world):
    pair = Pair(world)
    for command in ("status", "show", "monitor", "failover"):
        done = ctl(pair.lb1, command, "nobody")
        assert done.returncode == 5, (command, done)
        assert "there is no instance 'nobody'" in done.stderr and done.stderr.count("holdfastctl list") == 1, done.stderr
    assert error_of(ctl(pair.lb1, "show", "nobody", "--json=short"))["Error"] == "org.holdfast1.Error.NoSuchInstance"
    assert ctl(pair.lb1, "show", "web", "-p", "Colour").returncode == 5


def test_reload_prints_every_problem(world):
    pair = Pair(world)
    done = ctl(pair.lb1, "reload")
    assert (done.returncode, done.stdout) == (0, "the configuration is in force\n")
    world.configure(pair.text + "colour: blue\nshape: round\n")
    done = ctl(pair.lb1, "reload")
    assert done.returncode == 6 and "'colour'" in done.stderr and "'shape'" in done.stderr and "stays in force" in done.stderr
    assert error_of(ctl(pair.lb1, "reload", "--json"))["Error"] == "org.holdfast1.Error.InvalidConfig"
    assert "the last one failed" in ctl(pair.lb1, "status").stdout


def test_without_a_daemon_or_a_bus(world):
    host = world.add("lb1")
    for cause in ("no bus at", None):
        for command in (["status"], ["list"], ["monitor"], ["reload"], ["failover", "web"], ["show", "web"]):
            done = ctl(host, *command)
            assert done.returncode == 3, (command, done)
            assert (cause or "holdfastd is not running on this bus") in done.stderr and host.bus_address in done.stderr
        done = ctl(host, "--complete")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        if cause:
            host.start_bus()
    assert error_of(ctl(host, "list", "--json"))["Error"] == "org.freedesktop.DBus.Error.ServiceUnknown"


def test_everything_works_by_the_private_socket_when_there_is_no_bus(world):
    pair = Pair(world, start=False, bus=False)
    pair.start()
    address = f"--address=unix:path={pair.lb1.directory}/run/private"
    wait_for(lambda: "master" in ctl(pair.lb1, address, "list").stdout, 10, "mastership")
    pair.lb1.spawn("monitor", PROGRAM, address, "monitor")
    # The usual path, to which holdfastctl turns by itself, in a mount namespace of its own.
    usual = ["unshare", "-m", "sh", "-ec", f'mount -t tmpfs tmpfs /run; ln -s {pair.lb1.directory}/run /run/holdfast; exec "$0" "$@"', PROGRAM]
    environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": pair.lb1.bus_address}
    time.sleep(0.5)  # as above
    done = subprocess.run([*usual, "failover", "web"], capture_output=True, text=True, env=environment, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "") and "is now master of 'web'" in done.stdout
    wait_for(lambda: "web: master -> backup: failover" in pair.lb1.log("monitor"), 2, "the line of the failover")
    assert "backup" in subprocess.run([*usual, "--private", "list"], capture_output=True, text=True, env=environment, check=True).stdout
    done = ctl(pair.lb1, "--private", "--address=unix:path=/x", "list")
    assert done.returncode == 2 and "excludes" in done.stderr
    done = ctl(pair.lb1, f"--address=unix:path={pair.lb1.directory}/none", "list")
    assert done.returncode == 3 and "nobody answers at unix:path=" in done.stderr


def test_a_daemon_that_does_not_answer(world):
    pair = Pair(world)
    pair.lb1.holdfastd.kill(signal.SIGSTOP)
    done = ctl(pair.lb1, "failover", "web")
    pair.lb1.holdfastd.kill(signal.SIGCONT)
    assert done.returncode == 124 and "did not answer within 10 s" in done.stderr


def test_who_is_not_root_may_look_and_not_act(world):
    pair = Pair(world, start=False, bus=False)
    for host in pair.hosts:
        start_open_bus(host)
    pair.start()
    assert ctl(pair.lb1, "list", user=65534, group=65534, extra_groups=[]).returncode == 0
    for command in (["reload"], ["failover", "web"]):
        done = ctl(pair.lb1, *command, user=65534, group=65534, extra_groups=[])
        assert done.returncode == 4, done
        assert done.stderr.startswith(f"holdfastctl: {command[0]}: org.holdfast1.Manager."), done.stderr
        assert done.stderr.endswith("so only root may: run it with sudo\n"), done.stderr  # there is no polkit on this bus


def start_open_bus(host):
    """A bus that everybody may use; the daemon itself decides who may act."""
    configuration = host.directory / "bus.conf"
    configuration.write_text(
        f"<busconfig><type>system</type><listen>{host.bus_address}</listen><auth>EXTERNAL</auth>"
        '<policy context="default"><allow user="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>'
        '<allow own="*"/></policy></busconfig>')
    host.spawn("bus", "dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile")
    wait_for((host.directory / "bus").exists, 5, "the bus")


@pytest.mark.parametrize("arguments", [[], ["dance"], ["show"], ["failover"], ["list", "--colour"], ["--json=no", "list"]])
def test_wrong_usage(arguments):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == "" and done.stderr


def test_help_and_version():
    for argument, text in (("--help", "124 no answer in time"), ("--version", "holdfastctl 0.")):
        done = subprocess.run([PROGRAM, argument], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and text in done.stdout


def test_scripts_ask_who_is_master_and_whether_all_is_well(world):
    pair = Pair(world)
    wait_for(lambda: ctl(pair.lb1, "is-master", "web").returncode == 0, 5, "lb1 as master")
    assert ctl(pair.lb1, "is-master", "web").stdout == "master\n"
    standby = ctl(pair.lb2, "is-master", "web")
    assert (standby.returncode, standby.stdout) == (1, "backup\n")
    assert json.loads(ctl(pair.lb2, "is-master", "web", "--json").stdout) == {"web": "backup"}
    assert ctl(pair.lb1, "is-master", "shop").returncode == 5

    well = ctl(pair.lb1, "health")
    assert (well.returncode, well.stdout) == (0, "lb1 is running, 1 of 1 instances master\n")
    assert ctl(pair.lb1, "health", "--nagios").stdout == \
        "HOLDFAST OK - lb1 is running, 1 of 1 instances master | masters=1 backups=0 faults=0\n"
    pair.lb1.cable(False)
    ill = wait_for(lambda: (done := ctl(pair.lb1, "health")).returncode and done, 5, "a fault")
    assert ill.returncode == 1 and ill.stdout.startswith("web: "), ill.stdout
    assert ctl(pair.lb1, "health", "--liveness").returncode == 0
    nagios = ctl(pair.lb1, "health", "--nagios")
    assert nagios.returncode == 2 and nagios.stdout.startswith("HOLDFAST CRITICAL - web: "), nagios.stdout
    pair.lb1.holdfastd.end()
    assert ctl(pair.lb1, "health").returncode == 3
    gone = ctl(pair.lb1, "health", "--nagios")
    assert gone.returncode == 2 and gone.stdout.startswith("HOLDFAST CRITICAL - "), gone.stdout


def test_the_tree_has_all_below_the_node_and_top_what_moves(world):
    pair = Pair(world, instance_extra="    track: [disk]\n", extra="trackers:\n  disk: {script: [/bin/true]}\n")
    wait_for(lambda: ctl(pair.lb1, "is-master", "web").returncode == 0, 5, "lb1 as master")
    lines = ctl(pair.lb1, "tree").stdout.splitlines()
    assert lines[0] == "● lb1 running"
    assert lines[1] == "└─web master on eth0, vrid 51, priority 250"
    assert lines[2:] == ["  ├─10.77.0.100/24 assigned", "  └─disk (script /bin/true) up"], lines
    heading, names, row = ctl(pair.lb1, "top", "-n", "1").stdout.splitlines()
    assert heading.startswith("lb1 is running, ")
    assert names.split() == ["INSTANCE", "STATE", "PRIORITY", "SENT/S", "RECEIVED/S", "ANNOUNCED/S"]
    name, state, priority, sent, received, _ = row.split()
    assert (name, state, priority, received) == ("web", "master", "250", "0")
    assert float(sent) > 0


def test_the_digest_of_a_page_is_what_its_check_expects(world):
    host = world.add("lb1")
    host.start_nginx()
    helpers = ("--helper-dir", str(world.directory / "libexec"))
    digest = lambda *arguments: subprocess.run(
        ["ip", "netns", "exec", host.namespace, PROGRAM, "digest", *arguments, *helpers], capture_output=True, text=True, timeout=20, check=False)
    page = b"lb1\n"
    done = digest("http://127.0.0.1/")
    assert (done.returncode, done.stdout) == (0, f"sha256:{hashlib.sha256(page).hexdigest()}\n"), done.stderr
    assert digest("http://127.0.0.1:80/any?where", "--md5").stdout == f"md5:{hashlib.md5(page).hexdigest()}\n"
    assert digest("-s", "127.0.0.1", "-p", "80", "-u", "/").stdout == f"MD5SUM = {hashlib.md5(page).hexdigest()}\n", "as genhash"
    nobody = digest("http://127.0.0.1:81/")
    assert nobody.returncode == 1 and "onnection refused" in nobody.stderr, nobody.stderr
    assert digest("ftp://127.0.0.1/").returncode == 2
    assert digest().returncode == 2


def test_a_host_in_maintenance_hands_over_and_stays_away_until_it_is_over(world):
    pair = Pair(world)
    wait_for(lambda: ctl(pair.lb1, "is-master", "web").returncode == 0, 5, "lb1 as master")
    assert ctl(pair.lb1, "maintenance").stdout == "lb1 is in service\n"
    done = ctl(pair.lb1, "maintenance", "on", "--reason", "new disk")
    assert done.stdout == "lb1 is in maintenance: new disk; holdfastctl maintenance off ends it\n", done.stderr
    wait_for(lambda: ctl(pair.lb2, "is-master", "web").returncode == 0, 5, "lb2 as master")
    wait_for(lambda: not pair.lb1.has("10.77.0.100"), 5, "the address to leave lb1")
    node = pair.lb1.status()
    assert (node["State"], node["MaintenanceReason"]) == ("maintenance", "new disk")
    assert node["Instances"][0]["StateReason"] == {"Code": "maintenance", "Text": "this host is in maintenance: new disk"}
    assert "in maintenance: new disk" in ctl(pair.lb1, "status").stdout
    assert (pair.lb1.directory / "lib/maintenance").read_text() == "new disk\n"

    pair.lb1.holdfastd.end()  # it outlives the daemon
    pair.lb1.start_holdfastd()
    wait_for(lambda: pair.lb1.status().get("State") == "maintenance", 5, "maintenance again")
    assert ctl(pair.lb2, "is-master", "web").returncode == 0
    assert ctl(pair.lb1, "maintenance", "off").stdout == "lb1 is in service\n"
    wait_for(lambda: ctl(pair.lb1, "is-master", "web").returncode == 0, 5, "lb1 as master again")


def test_a_file_made_by_hand_is_maintenance_too(world):
    pair = Pair(world)
    wait_for(lambda: ctl(pair.lb1, "is-master", "web").returncode == 0, 5, "lb1 as master")
    file = pair.lb1.directory / "lib/maintenance"
    file.touch()
    wait_for(lambda: ctl(pair.lb2, "is-master", "web").returncode == 0, 5, "lb2 as master")
    assert pair.lb1.status()["Instances"][0]["StateReason"]["Text"] == "this host is in maintenance"
    file.unlink()
    wait_for(lambda: ctl(pair.lb1, "is-master", "web").returncode == 0, 5, "lb1 as master again")
    file.mkdir()  # no file, but somebody meant it
    wait_for(lambda: ctl(pair.lb2, "is-master", "web").returncode == 0, 5, "lb2 as master")
    refused = ctl(pair.lb1, "maintenance", "off")
    assert refused.returncode == 1 and "lib/maintenance can't be removed: Is a directory" in refused.stderr, refused.stderr
    assert pair.lb1.status()["State"] == "maintenance"
