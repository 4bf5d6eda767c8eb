"""Each kind of tracker with the real thing behind it: a script, a file, a port, processes told apart by their words, a link."""

from __future__ import annotations

import os
import pathlib
import signal
import sys

import pytest
from conftest import Pair
from world import now, run, wait_for


def track(world, tracker: str, use: str = "t", start: bool = True, **more) -> Pair:
    pair = Pair(world, start=False, instance_extra=f"    track: [{use}]\n", extra=f"trackers:\n  t: {tracker}\n", **more)
    if start:
        pair.start()
    return pair


def tracker(host) -> dict:
    found = host.status().get("Trackers")
    return found[0] if found else {}


@pytest.fixture
def flag(world) -> pathlib.Path:
    """A file that only lb1's trackers look at: its path has the host's name in it."""
    return world.directory / "flag"


def for_lb1(text: str, otherwise: str) -> str:
    return f"{{lb1: {text}, default: {otherwise}}}"


def test_a_failing_script_moves_the_address_and_shows_its_last_line(world, flag):
    script = flag.with_suffix(".sh")
    script.write_text(f"#!/bin/sh\nnode=$1\nif [ -e {flag}-$node ]; then echo first; echo the disk is full >&2; exit 3; fi\n")
    script.chmod(0o755)
    # The script finds out whose it is by its daemon's command line.
    wrapper = f"[/bin/sh, -c, '{script} $(tr \"\\0\" \" \" < /proc/$(ps -o ppid= -p $PPID | tr -d \" \")/cmdline | sed \"s/.*node-name //;s/ .*//\")']"
    pair = track(world, f"{{script: {wrapper}, interval: 200ms, fall: 2}}")
    wait_for(lambda: tracker(pair.lb1).get("Status") == "up", 3, "the script's first success")
    pathlib.Path(f"{flag}-lb1").write_text("")
    pair.wait_on("lb2", 3)
    wait_for(lambda: tracker(pair.lb1).get("Status") == "down", 2, "the verdict")
    assert tracker(pair.lb1)["Detail"] == "exit status 3: the disk is full"
    assert pair.instance(pair.lb1)["Faults"] == [{"Code": "tracker", "Text": "tracker t is down: exit status 3: the disk is full"}]
    pathlib.Path(f"{flag}-lb1").unlink()
    pair.wait_on("lb1", 3)


def test_a_script_that_cannot_be_executed_or_has_no_such_user_is_a_fault_with_its_name(world):
    for text, detail in (("{script: [/no/such/check]}", "cannot run /no/such/check: No such file or directory"),
                         ("{script: [/bin/true], user: nobody-of-that-name}",
                          "cannot run /bin/true: there is no user 'nobody-of-that-name'")):
        world.configure(f"instances:\n  web: {{interface: eth0, vrid: 51, addresses: [10.77.0.100/24], track: [t]}}\ntrackers: {{t: {text}}}\n")
        host = world.hosts.get("lb1") or world.add("lb1")
        if "bus" not in host.processes:
            host.start_bus()
        host.start_holdfastd()
        wait_for(lambda: tracker(host).get("Status") == "down", 5, "the fault")
        assert tracker(host)["Detail"] == detail
        host.holdfastd.end()


def test_a_script_that_hangs_is_ended_and_counts_as_a_failure(world):
    script = "[/bin/sh, -c, \"trap '' TERM; while :; do sleep 1; done\"]"
    pair = track(world, f"{{script: {script}, interval: 300ms, timeout: 200ms}}", start=False)
    pair.lb1.start_holdfastd()
    wait_for(lambda: tracker(pair.lb1).get("Status") == "down", 5, "the failure")
    assert tracker(pair.lb1)["Detail"] == "no end within 200ms, then signal SIGKILL"
    assert tracker(pair.lb1)["SkippedRuns"] > 3


def test_maintenance_by_file_moves_the_address_and_its_removal_brings_it_back(world, flag):
    pair = track(world, "{file: " + for_lb1(str(flag), "/no/such/file") + "}")
    moment = now()
    flag.write_text("1\n")
    pair.wait_on("lb2", 1)
    assert now() - moment < 0.5
    assert tracker(pair.lb1)["Detail"] == f"1 in {flag}"
    flag.unlink()
    pair.wait_on("lb1", 3)


def test_a_file_weighs_its_number_times_the_weight(world, flag):
    pair = track(world, "{file: " + for_lb1(str(flag), "/no/such/file") + "}", use="{tracker: t, weight: -2}")
    for text, priority in (("10", 230), ("-2", 254), ("0", 250), ("40", 170), ("text", 250), ("", 250)):
        flag.write_text(text)
        wait_for(lambda: pair.instance(pair.lb1)["EffectivePriority"] == priority, 3, f"priority {priority} for '{text}'")
    flag.write_text("40")
    pair.wait_on("lb2", 2)
    assert pair.instance(pair.lb1)["PriorityContributions"] == [{"Tracker": "t", "Weight": -80}]
    flag.write_text("127")  # -254: more than there is
    wait_for(lambda: pair.instance(pair.lb1)["State"] == "fault", 2, "the fault")
    assert pair.instance(pair.lb1)["Faults"][0]["Text"] == f"tracker t takes 254 from the priority, more than there is: 127 in {flag}"


def test_a_reversed_use_is_a_fault_while_the_tracker_is_up(world, flag):
    pair = track(world, "{file: " + for_lb1(str(flag), "/no/such/file") + "}", use="{tracker: t, reverse: true}", start=False)
    for host in pair.hosts:
        host.start_holdfastd()
    wait_for(lambda: pair.lb2.status() and pair.instance(pair.lb2)["State"] == "fault", 5, "the fault of lb2")
    flag.write_text("1")
    pair.wait_on("lb1", 3)


LISTEN = ("import socket,sys,signal;s=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET);"
          "s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1);s.bind((sys.argv[1],7777));s.listen(16);signal.pause()")


@pytest.mark.parametrize("address,words", [("127.0.0.1", "127.0.0.1:7777"), ("::1", "[::1]:7777")])
def test_a_port_that_closes_moves_the_address(world, address, words):
    pair = track(world, f"{{tcp: '{words}', interval: 200ms}}", start=False)
    for host in pair.hosts:
        host.spawn("listener", sys.executable, "-c", LISTEN, address)
    pair.start()
    wait_for(lambda: tracker(pair.lb1).get("Status") == "up", 3, "the connection")
    pair.lb1.processes["listener"].kill()
    pair.wait_on("lb2", 2)
    assert tracker(pair.lb1)["Detail"] == "cannot connect: Connection refused"
    pair.lb1.spawn("listener", sys.executable, "-c", LISTEN, address)
    pair.wait_on("lb1", 3)


def test_a_port_that_does_not_answer_is_down_after_its_timeout(world):
    pair = track(world, "{tcp: '10.77.0.99:7777', interval: 300ms, timeout: 200ms}", start=False)
    pair.lb1.start_holdfastd()
    wait_for(lambda: tracker(pair.lb1).get("Status") == "down", 6, "the verdict")
    assert tracker(pair.lb1)["Detail"] in ("no connection within 200ms", "cannot connect: No route to host")


def test_processes_are_told_apart_by_their_words(world):
    pair = track(world, "{process: sleep, arguments: ['1234'], match: partial, quorum: 2, quorum_max: 3}", start=False)
    host = pair.lb1
    host.start_holdfastd()
    for number, words in enumerate(("12345", "999", "12346")):
        host.spawn(f"sleep{number}", "sleep", words)
        if number == 1:
            wait_for(lambda: tracker(host).get("Detail") == "1 process 'sleep 1234', 2 needed", 3, "one of two")
    wait_for(lambda: tracker(host).get("Status") == "up", 3, "both")
    for number in (3, 4):
        host.spawn(f"sleep{number}", "sleep", "12349")
    wait_for(lambda: tracker(host).get("Detail") == "4 processes 'sleep 1234', at most 3 allowed", 3, "one too many")
    assert tracker(host)["Status"] == "down"


def test_a_command_line_names_the_script_behind_an_interpreter(world):
    pair = track(world, f"{{command: [{sys.executable}, '-c', 'import signal; signal.pause()', a], terminate_delay: 1s}}", start=False)
    host = pair.lb1
    host.start_holdfastd()
    wait_for(lambda: tracker(host).get("Status") == "down", 5, "nothing there")
    process = host.spawn("python", sys.executable, "-c", "import signal; signal.pause()", "a")
    wait_for(lambda: tracker(host)["Status"] == "up", 3, "the process")
    moment = process.kill()
    wait_for(lambda: tracker(host)["Status"] == "down", 3, "its end")
    assert now() - moment > 0.9


def add_cable(host, name: str, other: str):
    """A link with a carrier, that no router is on."""
    host.ip("link", "add", name, "type", "veth", "peer", "name", other)
    host.ip("link", "set", other, "up")
    host.ip("link", "set", name, "up")


def test_a_link_that_flaps_counts_when_it_stays_down(world):
    pair = track(world, "{interface: dummy0, down_delay: 500ms, up_delay: 300ms}", start=False)
    for host in pair.hosts:
        add_cable(host, "dummy0", "dummy1")
    pair.start()
    pair.lb1.ip("link", "set", "dummy0", "down")
    pair.lb1.ip("link", "set", "dummy0", "up")
    assert tracker(pair.lb1)["Status"] == "up"
    moment = now()
    pair.lb1.ip("link", "set", "dummy0", "down")
    wait_for(lambda: tracker(pair.lb1)["Status"] == "down", 3, "the delay to pass")
    assert now() - moment >= 0.5
    pair.wait_on("lb2", 2)
    moment = now()
    pair.lb1.ip("link", "set", "dummy0", "up")
    wait_for(lambda: tracker(pair.lb1)["Status"] == "up", 3, "the delay to pass")
    assert now() - moment >= 0.3


def test_a_driver_is_asked_for_its_carrier(world):
    """veth's driver says what the kernel says; that of ifb can't be asked, so the kernel's word counts and the view says so."""
    pair = track(world, "{interface: up0, poll: 100ms}", start=False)
    for host in pair.hosts:
        add_cable(host, "up0", "up1")
    pair.start()
    wait_for(lambda: tracker(pair.lb1)["Detail"] == "up; its driver sees a carrier", 3, "the driver's answer")
    assert "holdfast-prober" in run("pgrep", "-a", "-P", str(pair.lb1.holdfastd.pid))
    pair.lb1.ip("link", "set", "up1", "down")
    wait_for(lambda: tracker(pair.lb1)["Status"] == "down", 3, "the verdict")
    pair.lb1.ip("link", "del", "up0")
    wait_for(lambda: tracker(pair.lb1)["Detail"] == "it does not exist", 3, "the link's end")
    pair.lb1.ip("link", "add", "up0", "type", "ifb")
    pair.lb1.ip("link", "set", "up0", "up")
    wait_for(lambda: tracker(pair.lb1)["Status"] == "up", 3, "the kernel's word")
    wait_for(lambda: tracker(pair.lb1)["Detail"] == "up; the driver can't be asked: Operation not supported", 8,
             "why there is no answer: at the next heartbeat")


def test_init_fail_keeps_a_host_out_until_its_script_has_succeeded(world, flag):
    pair = track(world, f"{{script: [/usr/bin/test, -e, {flag}], interval: 200ms, init_fail: true, rise: 2}}", start=False)
    pair.lb1.start_holdfastd()
    wait_for(lambda: pair.lb1.status() and pair.instance(pair.lb1)["State"] == "fault", 3, "the fault")
    flag.write_text("")
    pair.wait_on("lb1", 3)


def test_a_dead_runner_starts_again_and_its_scripts_with_it(world, flag):
    pair = track(world, f"{{script: [/usr/bin/test, '!', -e, {flag}], interval: 200ms}}", start=False)
    pair.lb1.start_holdfastd()
    pair.wait_on("lb1", 5)
    runners = [pid for pid in run("ip", "netns", "pids", pair.lb1.namespace).split()
               if pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("holdfast-runner")]
    os.kill(int(runners[0]), signal.SIGKILL)
    flag.write_text("")
    wait_for(lambda: tracker(pair.lb1).get("Status") == "down", 3, "the new runner's verdict")
