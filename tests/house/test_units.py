"""The unit files, as far as they can be read without a systemd: tests/boot plays them."""

from __future__ import annotations

import configparser
import re

import pytest
from command_line import ROOT

SYSTEMD = ROOT / "systemd"
MESON = "".join(path.read_text() for path in (ROOT / "src").rglob("meson.build"))
HELPERS = ("prober", "runner")


class Unit(configparser.RawConfigParser):
    """A unit file; a key that stands there more than once keeps its values, one a line."""

    def __init__(self, name: str):
        super().__init__(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
        self.optionxform = str
        text = (SYSTEMD / name).read_text()
        self.all = re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)
        self.read_string(text)

    def words(self, key: str) -> set[str]:
        return {word for name, value in self.all if name == key for word in value.split()}


@pytest.mark.parametrize("name", sorted(file.name for file in SYSTEMD.iterdir()))
def test_every_file_is_installed(name):
    assert f"systemd/{name}'" in MESON


def test_the_daemon_connects_where_the_sockets_listen_and_stops_before_its_helpers():
    daemon = Unit("holdfast.service")
    directory = daemon["Service"]["Environment"].removeprefix("HOLDFAST_HELPERS=")
    for role in HELPERS:
        socket = Unit(f"holdfast-{role}.socket")["Socket"]
        assert socket["ListenSequentialPacket"] == f"{directory}/{role}"
        assert (socket["SocketMode"], socket["SocketUser"]) == ("0600", daemon["Service"]["User"])
        assert f"holdfast-{role}.socket" in daemon.words("Wants") & daemon.words("After")
        assert f"holdfast-{role}.service" in daemon.words("After")


@pytest.mark.parametrize("role", HELPERS)
def test_nothing_ties_a_helper_to_a_restart_of_the_daemon_and_nothing_stops_its_coming_back(role):
    helper = Unit(f"holdfast-{role}.service")
    assert not helper.words("PartOf") | helper.words("BindsTo") | helper.words("Requires")
    assert helper["Unit"]["StartLimitIntervalSec"] == "0"
    assert Unit(f"holdfast-{role}.socket")["Socket"]["TriggerLimitIntervalSec"] == "0"
    assert (helper["Service"]["Restart"], helper["Service"]["WatchdogSignal"]) == ("on-failure", "SIGKILL")
    assert helper["Service"]["CapabilityBoundingSet"] == ""


def test_notify_reload_is_for_systemds_that_know_it():
    assert Unit("holdfast.service")["Service"]["Type"] == "notify" and Unit("holdfast.service")["Service"]["ExecReload"]
    assert dict(Unit("notify-reload.conf")["Service"]) == {"Type": "notify-reload", "ExecReload": ""}
    guarded = re.search(r"if libsystemd\.version\(\)\.version_compare\('>=253'\)\n(.*?)\nendif", MESON, re.DOTALL)
    assert guarded and "notify-reload.conf" in guarded[1] and MESON.count("notify-reload.conf") == 1
