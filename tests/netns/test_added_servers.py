"""Real servers that are added and removed while holdfastd runs, until the host starts again or for good."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess

import pytest
from test_upstreams import Proxied
from world import BUILD, wait_for

CALL = "org.holdfast1", "/org/holdfast1/virtual_server/web", "org.holdfast1.VirtualServer"


class Balanced:
    """lb1 with holdfast alone: nobody looks at its servers, and the nginx that is to read its file does not run."""

    def __init__(self, world):
        self.world, self.lb = world, world.add("lb1")
        self.run, self.lib = self.lb.directory / "run/servers.yaml", self.lb.directory / "lib/servers.yaml"
        self.file = self.lb.directory / "lib/nginx/web.conf"
        self.lb.start_bus()
        self.configure("s1: {address: '10.9.0.1:80'}, s2: {address: '10.9.0.2:80'}")

    def configure(self, reals: str, name: str = "web"):
        self.world.configure(f"instances: {{}}\nvirtual_servers:\n  {name}:\n    kind: nginx\n    nginx: {{pid_file: {self.lb.directory}/no.pid}}\n"
                             f"    real_servers: {{{reals}}}\n")

    def start(self):
        self.lb.start_holdfastd()
        wait_for(self.servers, 10, "the virtual server")

    def stop(self, how=signal.SIGKILL):
        self.lb.holdfastd.kill(how)
        self.lb.holdfastd.wait()

    def view(self) -> dict:
        text = self.lb.ctl("--json=short", "ipvs", check=False)
        return json.loads(text)[0] if text else {}

    def servers(self) -> dict[str, str]:
        return {real["Name"]: real["Origin"] for real in self.view().get("RealServers", [])}

    def block(self) -> list[str]:
        return [line.strip() for line in self.file.read_text().splitlines() if line.strip().startswith("server")]

    def refused(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run([BUILD / "src/ctl/holdfastctl", f"--address={self.lb.bus_address}", *arguments], capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stderr


@pytest.fixture
def lab(world):
    return Balanced(world)


FILE = {"s1": "file", "s2": "file"}


def test_it_comes_and_goes_and_the_others_see_nothing(lab):
    lab.start()
    before = {real["Name"]: real["StateTimestamp"] for real in lab.view()["RealServers"]}
    assert lab.lb.ctl("add", "web/s3", "10.9.0.3:80", "--weight", "5", "--set", "check: {tcp: {}, interval: 1s}").strip() == \
        "web/s3 is added until this host starts again"
    assert lab.servers() == {**FILE, "s3": "runtime"}
    wait_for(lambda: "server 10.9.0.3:80 down; # s3" in lab.block(), 10, "the verdict of its own check")
    assert lab.view()["RealServers"][2]["BaseWeight"] == 5
    assert {real["Name"]: real["StateTimestamp"] for real in lab.view()["RealServers"] if real["Name"] != "s3"} == before
    assert "runtime" in lab.lb.ctl("ipvs") and "s3 10.9.0.3" in lab.lb.ctl("tree")
    assert "s3: {address: \"10.9.0.3:80\", weight: 5, check: {tcp: {}, interval: 1s}}" in lab.run.read_text()
    down_since = lab.view()["RealServers"][2]["StateTimestamp"]
    assert lab.lb.ctl("add", "web/s3", "10.9.0.3:80", "--weight", "5", "--set", "check: {tcp: {}, interval: 1s}", "--persistent").strip() == \
        "web/s3 stays when this host starts again"
    assert lab.servers() == {**FILE, "s3": "persistent"} and "s3" in lab.lib.read_text() and not lab.run.exists()
    assert lab.view()["RealServers"][2]["StateTimestamp"] == down_since, "it is the same server, with its health"
    assert lab.lb.ctl("remove", "web/s3").strip() == "web/s3 is removed"
    assert lab.servers() == FILE
    wait_for(lambda: lab.block() == ["server 10.9.0.1:80; # s1", "server 10.9.0.2:80; # s2"], 5, "s3 out of the file of nginx")
    assert not lab.lib.exists()


def test_both_outlive_a_crash_and_a_restart_and_one_of_them_a_reboot(lab):
    lab.start()
    lab.lb.ctl("add", "web/s3", "10.9.0.3:80")
    lab.lb.ctl("add", "web/s4", "10.9.0.4:80", "--persistent")
    both = {**FILE, "s3": "runtime", "s4": "persistent"}
    assert lab.servers() == both
    for how in (signal.SIGKILL, signal.SIGTERM):
        lab.stop(how)
        lab.start()
        assert lab.servers() == both
    lab.lb.ctl("reload")
    assert lab.servers() == both
    lab.stop()
    shutil.rmtree(lab.lb.directory / "run")
    lab.start()
    assert lab.servers() == {**FILE, "s4": "persistent"}


def test_the_bus_has_the_methods_the_property_and_the_objects(lab):
    lab.start()
    environment = {"DBUS_SYSTEM_BUS_ADDRESS": lab.lb.bus_address, "PATH": "/usr/bin:/bin"}

    def busctl(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(["busctl", *arguments], capture_output=True, text=True, check=False, env=environment)

    assert busctl("call", *CALL, "AddServer", "ssb", "s3", "{address: 10.9.0.3:80}", "true").stdout == 's "web/s3 is added"\n'
    s3 = CALL[0], CALL[1] + "/real_server/s3", "org.holdfast1.RealServer"
    assert busctl("get-property", *s3, "Origin").stdout == 's "persistent"\n'
    assert "ServerExists" in busctl("--json=short", "call", *CALL, "AddServer", "ssb", "s3", "{address: 10.9.0.3:80}", "true").stderr or \
        "there is a real server web/s3 already" in busctl("call", *CALL, "AddServer", "ssb", "s3", "{}", "true").stderr
    assert busctl("call", *CALL, "RemoveServer", "s", "s3").returncode == 0
    assert busctl("get-property", *s3, "Origin").returncode != 0


def test_a_refusal_names_place_and_cure_and_changes_nothing(lab):
    lab.start()
    first = lab.lb.status()["ConfigHash"]
    for arguments, status, text in (
            (("add", "web/s1", "10.9.0.9"), 1, "there is a real server web/s1 already, at 10.9.0.1: give this one another name"),
            (("add", "shop/s1", "10.9.0.9"), 5, "there is no virtual server 'shop'"),
            (("add", "web", "10.9.0.9"), 2, "write SERVER/NAME"),
            (("add", "web/s3", "nonsense"), 6, "nothing has changed:\n" + str(lab.run) + ":5:"),
            (("add", "web/s3", "10.9.0.9", "--set", "wieght: 2"), 6, "did you mean 'weight'?"),
            (("add", "web/s3", "10.9.0.9", "--set", "notify_down: [/bin/sh]"), 6, "only the configuration may name"),
            (("remove", "web/s1", "--drain"), 1, f"web/s1 stands in the configuration, at {lab.world.directory}/holdfast.yaml:6:20: drain or"),
            (("remove", "web/s9"), 5, "virtual server 'web' has no real server 's9'")):
        assert (lab.refused(*arguments)[0], text in lab.refused(*arguments)[1]) == (status, True), lab.refused(*arguments)
    assert lab.servers() == FILE and not lab.run.exists() and not lab.lib.exists()
    assert lab.lb.status()["ConfigHash"] == first
    assert lab.view()["RealServers"][0]["State"] == "up", "what stays is not drained"


def test_the_users_file_wins_and_nothing_keeps_the_daemon_from_starting(lab):
    lab.start()
    lab.lb.ctl("add", "web/s3", "10.9.0.3:80", "--persistent")
    lab.configure("s1: {address: '10.9.0.1:80'}, s3: {address: '10.9.0.33:80'}")
    done = subprocess.run([BUILD / "src/ctl/holdfastctl", f"--address={lab.lb.bus_address}", "reload"], capture_output=True, text=True, check=True)
    assert "with warnings" in done.stdout and "holdfastctl remove web/s3 takes it out here" in done.stderr
    assert lab.servers() == {"s1": "file", "s3": "file"}
    assert lab.lb.ctl("remove", "web/s3").strip() == "web/s3 is the configuration's alone"
    assert lab.servers() == {"s1": "file", "s3": "file"}
    lab.lb.ctl("add", "web/s4", "10.9.0.4:80", "--persistent")
    lab.configure("s1: {address: '10.9.0.1:80'}", name="shop")
    lab.lb.ctl("reload")
    lab.stop()
    lab.start()
    assert "there is no virtual server 'web'; web/s4, which was added, is left out" in lab.lb.log("holdfastd")
    assert lab.servers() == {"s1": "file"}
    lab.lib.write_text("virtual_servers: [")
    lab.stop()
    lab.start()
    assert lab.servers() == {"s1": "file"}
    assert f"{lab.lib}:1:" in lab.lb.log("holdfastd")


def test_many_at_once_come_one_after_the_other(lab):
    lab.start()
    calls = [lab.lb.spawn(f"add{number}", BUILD / "src/ctl/holdfastctl", "add", f"web/t{number}", f"10.9.1.{number}:80",
                          *(["--persistent"] if number % 2 else [])) for number in range(12)]
    lab.lb.ctl("reload")
    for call in calls:
        call.wait()
    assert lab.servers() == {**FILE, **{f"t{number}": "persistent" if number % 2 else "runtime" for number in range(12)}}
    lab.stop()
    lab.start()
    assert len(lab.servers()) == 14


def test_clients_reach_it_and_it_drains_before_it_goes(world):
    lab = Proxied(world)
    third = world.add("s3")
    third.start_nginx()
    address = third.addresses[0].split("/")[0]
    lab.start()
    assert lab.answers() == {"s1", "s2"}
    lab.lb.ctl("add", "web/s3", f"{address}:80")
    wait_for(lambda: "s3" in lab.answers(), 10, "answers of s3")
    said = lab.lb.ctl("remove", "web/s3", "--drain").strip().splitlines()
    assert said[-2:] == ["web/s3 has drained", "web/s3 is removed"], said
    wait_for(lambda: lab.block() == [lab.line("s1"), lab.line("s2")], 10, "s3 out of the file")
    wait_for(lambda: lab.answers() == {"s1", "s2"}, 10, "answers of the others alone")
