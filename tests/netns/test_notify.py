"""Notification with real scripts, FIFOs and hooks: in order, one at a time, the last state always."""

from __future__ import annotations

import os
import pathlib
import signal
import time

import pytest
from conftest import Pair
from world import now, wait_for

WRITE = "#!/bin/sh\necho \"$HOLDFAST_NODE $HOLDFAST_NAME $HOLDFAST_STATE $HOLDFAST_PRIORITY $*\" >> {log}\n"


class Notified(Pair):
    """A pair whose hosts write what they are told into one log."""

    def __init__(self, world, notify: str, body: str = WRITE, **more):
        self.log_path = world.directory / "told"
        self.log_path.write_text("")
        self.script = world.directory / "notify.sh"
        self.script.write_text(body.replace("{log}", str(self.log_path)))
        self.script.chmod(0o755)
        super().__init__(world, instance_extra=f"    notify: {notify.replace('SCRIPT', str(self.script))}\n", **more)

    def told(self, host: str = "lb1") -> list[str]:
        return [line.removeprefix(host + " ") for line in self.log_path.read_text().splitlines() if line.startswith(host + " ")]

    def wait_told(self, lines: list[str], host: str = "lb1", seconds: float = 5):
        try:
            wait_for(lambda: self.told(host) == lines, seconds, f"{lines}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}, not {self.told(host)}") from None


def test_scripts_are_told_of_each_state_in_order_with_what_keepalived_adds(world):
    pair = Notified(world, "{master: [SCRIPT, m, 'a b'], backup: [SCRIPT, b], stop: [SCRIPT, s], all: [SCRIPT, '']}")
    expected = ["web BACKUP 250 b", "web BACKUP 250  INSTANCE web BACKUP 250", "web MASTER 250 m a b",
                "web MASTER 250  INSTANCE web MASTER 250"]
    pair.wait_told(expected)
    shown = pair.instance(pair.lb1)["LastScript"]
    assert (shown["What"], shown["Ok"], shown["Detail"]) == ("all", True, "exit status 0") and shown["TookUSec"] > 0
    pair.lb1.holdfastd.kill(signal.SIGTERM)
    assert pair.lb1.holdfastd.wait() == 0
    pair.wait_told([*expected, "web STOP 250 s", "web STOP 250  INSTANCE web STOP 250"])
    pair.wait_told(["web BACKUP 200 b", "web BACKUP 200  INSTANCE web BACKUP 200", "web MASTER 200 m a b",
                    "web MASTER 200  INSTANCE web MASTER 200"], "lb2")


def test_a_fault_a_priority_and_a_deleted_instance_are_told(world):
    pair = Notified(world, "{fault: [SCRIPT, f], stop: [SCRIPT, s], deleted: [SCRIPT, d], priority: [SCRIPT, p], lower_advert: [SCRIPT, low]}")
    world.configure(pair.text.replace("lb1: 250", "lb1: 240"))
    pair.lb1.holdfastd.kill(signal.SIGHUP)
    # On a slow machine lb1 may have started late and heard lb2's advert: that was with priority 250.
    told = lambda: [line for line in pair.told() if " 240 " in line]
    wait_for(lambda: told() == ["web MASTER_PRIORITY 240 p"], 5, "the new priority")
    pair.lb1.cable(False)
    wait_for(lambda: told() == ["web MASTER_PRIORITY 240 p", "web FAULT 240 f"], 5, "the fault")
    pair.wait_on("lb2", 5)
    pair.lb1.cable(True)  # lb1 preempts, and hears lb2's last advert below itself
    pair.wait_on("lb1", 5)
    expected = ["web FAULT 240 f", "web MASTER_PRIORITY 240 p", "web MASTER_RX_LOWER_PRI 240 low"]
    wait_for(lambda: sorted(told()) == expected, 5, f"{expected}")
    world.configure("instances: {}\n")
    pair.lb1.holdfastd.kill(signal.SIGHUP)
    wait_for(lambda: pair.told()[-1] == "web DELETED 240 d", 5, "the end of it")


def test_one_script_at_a_time_and_the_last_state_is_always_told(world):
    """While a slow one runs, states come and go: what waited is left out and said to be, the last one is told."""
    slow = ("#!/bin/sh\necho \"$HOLDFAST_NODE begin $HOLDFAST_STATE\" >> {log}\nsleep 1.2\n"
            "echo \"$HOLDFAST_NODE end $HOLDFAST_STATE\" >> {log}\n")
    pair = Notified(world, "{all: [SCRIPT]}", body=slow)
    wait_for(lambda: pair.told()[-1:] == ["begin MASTER"], 5, "the script of MASTER")
    for plugged in (False, True, False, True):
        pair.lb1.cable(plugged)
        time.sleep(0.1)
    wait_for(lambda: pair.instance(pair.lb1)["State"] == "master", 5, "mastership")
    wait_for(lambda: pair.told()[-1:] == ["end MASTER"] and len(pair.told()) > 4, 15, "the last state")
    time.sleep(1.5)
    told = pair.told()
    assert told[-1] == "end MASTER"
    for begin, end in zip(told[::2], told[1::2], strict=True):
        assert begin.split()[0] == "begin" and end == begin.replace("begin", "end"), told
    assert "is not told to scripts" in pair.lb1.log("holdfastd")


def test_a_script_that_hangs_is_ended_and_nothing_of_the_election_waits_for_it(world):
    hang = "#!/bin/sh\necho \"$HOLDFAST_NODE $HOLDFAST_STATE\" >> {log}\ntrap '' TERM\nwhile :; do sleep 1; done\n"
    pair = Notified(world, "{all: [SCRIPT], timeout: 300ms}", body=hang)
    moment = pair.lb1.cable(False)
    wait_for(lambda: pair.lb2.has(pair.vip), 2, "the take-over")
    assert now() - moment < 1.0
    pair.lb1.cable(True)
    pair.wait_on("lb1", 3)
    wait_for(lambda: pair.told()[-1] == "MASTER" and len(pair.told()) >= 2, 20, "the last state")
    wait_for(lambda: (pair.instance(pair.lb1)["LastScript"] or {}).get("Detail") == "no end within 300ms, then signal SIGKILL", 5,
             "the end of a hanging script")


def test_a_script_that_cannot_run_is_named(world):
    pair = Notified(world, "{master: [/no/such/script]}")
    wait_for(lambda: pair.instance(pair.lb1)["LastScript"], 5, "the failure")
    shown = pair.instance(pair.lb1)["LastScript"]
    assert (shown["What"], shown["Ok"]) == ("master", False)
    assert shown["Detail"] == "cannot run /no/such/script: No such file or directory"
    assert "web: master script failed" in pair.lb1.log("holdfastd")


def test_lines_of_a_fifo_are_keepalived_s_and_wait_for_a_reader(world):
    fifo = world.directory / "fifo-lb1"
    pair = Notified(world, "{fifo: FIFO}".replace("FIFO", f"{world.directory}/fifo"), start=False)
    pair.lb1.start_holdfastd()
    wait_for(lambda: pair.lb1.has(pair.vip), 5, "mastership without anybody who reads")
    fifo = world.directory / "fifo"
    wait_for(fifo.exists, 2, "the FIFO")
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    text = b""

    def lines() -> list[str]:
        nonlocal text
        try:
            text += os.read(reader, 4096)
        except BlockingIOError:
            pass
        return text.decode().splitlines()

    expected = ['INSTANCE "web" BACKUP 250', 'INSTANCE "web" MASTER 250']
    wait_for(lambda: lines() == expected, 3, "the lines")
    pair.lb1.holdfastd.kill(signal.SIGTERM)
    assert pair.lb1.holdfastd.wait() == 0
    wait_for(lambda: lines() == [*expected, 'INSTANCE "web" STOP 250'], 3, "the last line")
    os.close(reader)


def test_a_stop_does_not_wait_long_for_a_fifo_that_nobody_reads(world):
    pair = Notified(world, f"{{fifo: {world.directory}/fifo}}", start=False)
    pair.lb1.start_holdfastd()
    wait_for(lambda: pair.lb1.has(pair.vip), 5, "mastership")
    moment = pair.lb1.holdfastd.kill(signal.SIGTERM)
    assert pair.lb1.holdfastd.wait() == 0
    assert now() - moment < 2


HOOK = ("#!/bin/sh\nhas() { ip address show dev eth0 | grep -c 10.77.0.100/; }\n"
        "echo \"$HOLDFAST_NODE $1 begin $(has)\" >> {log}\nsleep ${2:-0}\necho \"$HOLDFAST_NODE $1 end $(has)\" >> {log}\n")


def test_hooks_run_while_the_address_is_there(world):
    pair = Notified(world, "{before_removal: [SCRIPT, removal, '0.3'], after_adding: [SCRIPT, adding], hook_timeout: 2s}", body=HOOK)
    pair.wait_told(["adding begin 1", "adding end 1"])
    pair.lb1.holdfastd.kill(signal.SIGTERM)
    assert pair.lb1.holdfastd.wait() == 0
    assert pair.told() == ["adding begin 1", "adding end 1", "removal begin 1", "removal end 1"]
    assert pair.holders() == ["lb2"]
    pair.wait_told(["adding begin 1", "adding end 1"], "lb2")


@pytest.mark.parametrize("how", ["stop", "failover"])
def test_no_deadline_waits_for_a_hook_beyond_its_limit(world, how):
    pair = Notified(world, "{before_removal: [SCRIPT, removal, '60'], hook_timeout: 600ms}", body=HOOK)
    moment = now()
    if how == "stop":
        pair.lb1.holdfastd.kill(signal.SIGTERM)
    else:
        pair.lb1.ctl("failover", "web")
    wait_for(lambda: pair.lb2.has(pair.vip), 2, "the successor, which does not wait")
    assert now() - moment < 0.55
    assert pair.lb1.has(pair.vip), "the address waits for the hook"
    pair.wait_on("lb2", 2)
    assert 0.5 < now() - moment < 1.2
    if how == "stop":
        assert pair.lb1.holdfastd.wait() == 0
    else:
        wait_for(lambda: (pair.instance(pair.lb1)["LastScript"] or {}).get("What") == "before_removal", 5, "its end")
        assert pair.instance(pair.lb1)["LastScript"]["Detail"].startswith("no end within 600ms")
        assert pair.instance(pair.lb1)["State"] == "backup"


def test_an_adopted_mastership_is_no_news_to_scripts(world):
    pair = Notified(world, "{backup: [SCRIPT, b], master: [SCRIPT, m], after_adding: [SCRIPT, a]}")
    wait_for(lambda: len(pair.told()) == 3, 3, "the start")
    before = pair.told()
    pair.lb1.holdfastd.kill()
    pair.lb1.holdfastd.wait()
    pair.lb1.start_holdfastd()
    wait_for(lambda: pair.lb1.status() and pair.instance(pair.lb1)["State"] == "master", 3, "the adoption")
    wait_for(lambda: len(pair.told()) == 4, 3, "mastership told anew")
    time.sleep(0.3)
    assert pair.told() == [*before, "web MASTER 250 m"]
    assert pathlib.Path(pair.log_path).exists()
