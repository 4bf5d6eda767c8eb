"""holdfastctl beside real daemons: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
from conftest import Pair
from world import BUILD, wait_for

PROGRAM = str(BUILD / "src/ctl/holdfastctl")


def ctl(host, *arguments: str, **more) -> subprocess.CompletedProcess:
    environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": host.bus_address, "LC_ALL": "C.UTF-8"}
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
        assert done.stderr == f"holdfastctl: {command[0]}: only root may do this: run it with sudo\n"


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
