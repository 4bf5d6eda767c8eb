"""Who may do what, over the real things: dbus-daemon with the shipped policy, polkitd with the shipped actions, holdfastd as
user holdfast, and busctl as each of the callers. tests/bus/access.table has what is expected of every method; it and the
interfaces name the same ones. All of it runs in namespaces of its own (mounts, network, processes), where /etc/passwd knows the
users and polkit has no rules but ours."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.dom.minidom as dom

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["HOLDFAST_BUILD"])
TABLE = ROOT / "tests/bus/access.table"
USERS = {"root": 0, "holdfast": 64112, "operator": 64113, "nobody": 65534}
POLKITD = "/usr/lib/polkit-1/polkitd"
WEB, EDGE, SHOP, R1 = ("/org/holdfast1/instance/web", "/org/holdfast1/sync_group/edge", "/org/holdfast1/virtual_server/shop",
                       "/org/holdfast1/virtual_server/shop/real_server/r1")
# Where a method is called, and with what, when not at /org/holdfast1 and with nothing.
OBJECT = {"Instance": WEB, "SyncGroup": EDGE, "VirtualServer": SHOP, "RealServer": R1, "LogControl1": "/org/freedesktop/LogControl1"}
ARGUMENTS = {"Properties.Get": ["ss", "org.holdfast1.Manager", "State"], "Properties.GetAll": ["s", "org.holdfast1.Manager"],
             "GetInstance": ["s", "web"], "Reload": ["a{sv}", "0"], "Manager.Failover": ["sa{sv}", "web", "0"],
             "Instance.Failover": ["a{sv}", "0"], "SyncGroup.Failover": ["a{sv}", "0"],
             **{f"Manager.{name}": arguments for name, arguments in (("Takeover", ["sa{sv}", "web", "0"]), ("SetPriority", ["sy", "web", "100"]),
                                                                     ("Announce", ["s", "web"]))},
             **{f"{kind}.{name}": arguments for kind in ("Instance", "SyncGroup")
                for name, arguments in (("Takeover", ["a{sv}", "0"]), ("SetPriority", ["y", "100"]))}, "SetMaintenance": ["bs", "false", ""],
             "Drain": ["a{sv}", "0"], "AddServer": ["ssb", "r2", "{address: 127.0.0.2}", "false"],
             "RemoveServer": ["s", "r2"], "SetWeight": ["i", "2"], "set LogControl1.LogLevel": ["info"],
             "set LogControl1.LogTarget": ["console"]}
# The instance's link does not exist, so it has a state, fault, and nothing moves.
CONFIG = """instances:
  web: {vrid: 51, interface: nolink0, addresses: [192.0.2.10/24]}
sync_groups:
  edge: {instances: [web]}
virtual_servers:
  shop:
    address: 192.0.2.20:80
    protocol: tcp
    real_servers: {r1: {address: 127.0.0.1}}
"""


# ---- the table -------------------------------------------------------------------------------------------------------------------

def table() -> tuple[list[str], dict[str, list[str]]]:
    """The columns "CALLER/POLKIT", and for each method its answers in that order."""
    lines = [line for line in TABLE.read_text().splitlines() if line.strip() and not line.startswith("#")]
    callers, polkits, *rows = [re.split(r"\s{2,}", line.strip()) for line in lines]
    return ["/".join(each) for each in zip(callers[1:], polkits[1:], strict=True)], {row[0]: row[1:] for row in rows}


def members_of_the_interfaces() -> set[str]:
    members = set()
    for file in (ROOT / "dbus").glob("*.xml"):
        document = dom.parse(str(file))
        name = file.stem.removeprefix("org.holdfast1.").removeprefix("org.freedesktop.")
        members |= {f"{name}.{m.getAttribute('name')}" for m in document.getElementsByTagName("method")}
        members |= {f"set {name}.{m.getAttribute('name')}" for m in document.getElementsByTagName("property")
                    if "write" in m.getAttribute("access")}
    return members


def test_the_table_has_a_row_for_every_method_and_an_answer_for_every_caller():
    columns, rows = table()
    assert not {method for method, answers in rows.items() if len(answers) != len(columns)}
    assert members_of_the_interfaces() == {method for method in rows if not method.startswith(("DBus.", "no "))}


def test_the_live_service_answers_as_the_table_says():
    if os.geteuid() != 0:
        pytest.skip("needs root, for namespaces and to become each user")
    for program in (POLKITD, "busctl", "dbus-daemon", "setpriv"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed (packages polkitd, systemd, dbus, util-linux)")
    with tempfile.TemporaryDirectory(prefix="holdfast-access-") as directory:
        place = pathlib.Path(directory)
        place.chmod(0o755)  # every user of the table comes here
        done = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable,
                               __file__, directory], capture_output=True, text=True, timeout=180, check=False)
        results = place / "results.json"
        assert results.exists(), done.stdout[-2000:] + done.stderr[-3000:]
        found = json.loads(results.read_text())
    columns, rows = table()
    wrong = [f"{method} by {column}: {found[column][method][1].strip()!r}, which is not '{wanted}'"
             for method, answers in rows.items() for column, wanted in zip(columns, answers, strict=True)
             if found[column][method][0] != wanted]
    assert not wrong, "\n".join(wrong)
    assert found["level"] == ["info", "debug"]


# ---- inside the namespaces ---------------------------------------------------------------------------------------------------------

def until(done, what: str, seconds: float = 15):
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise SystemExit(f"not in time: {what}")
        time.sleep(0.01)


class Inside:
    def __init__(self, directory: pathlib.Path):
        self.directory = directory
        self.address = f"unix:path={directory}/bus"
        self.private = f"unix:path={directory}/run/private"
        self.environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.address, "LC_ALL": "C.UTF-8"}
        self.polkit: subprocess.Popen | None = None

    def shell(self, *command: str):
        subprocess.run(command, check=True)

    def start(self, name: str, *command) -> subprocess.Popen:
        with (self.directory / f"{name}.log").open("ab") as log:
            return subprocess.Popen([str(part) for part in command], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def prepare(self):
        self.shell("mount", "--make-rprivate", "/")
        self.shell("ip", "link", "set", "lo", "up")
        users = [(name, number) for name, number in USERS.items() if name in ("holdfast", "operator")]
        for file, lines in (("passwd", [f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin" for name, number in users]),
                            ("group", [f"holdfast:x:{USERS['holdfast']}:operator", f"operator:x:{USERS['operator']}:"])):
            copy = self.directory / file
            others = [line for line in pathlib.Path(f"/etc/{file}").read_text().splitlines() if line.split(":")[0] not in dict(users)]
            copy.write_text("\n".join([*others, *lines]) + "\n")
            self.shell("mount", "--bind", str(copy), f"/etc/{file}")
        self.rules = pathlib.Path("/etc/polkit-1/rules.d")
        actions = pathlib.Path("/usr/share/polkit-1/actions")
        for folder in (self.rules, actions):
            self.shell("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(folder))
        shutil.copy(ROOT / "dbus/org.holdfast1.policy", actions)

    def start_bus(self):
        configuration = self.directory / "bus.conf"
        installed = "/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf"
        configuration.write_text(f"""<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>{self.address}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
<allow send_destination="org.freedesktop.DBus"/></policy>
<include>{installed}</include><include>{ROOT}/dbus/org.holdfast1.conf</include></busconfig>""")
        self.start("bus", "dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile")
        until((self.directory / "bus").exists, "the bus")

    def has_owner(self, name: str) -> bool:
        said = subprocess.run(["busctl", "call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "NameHasOwner", "s", name],
                              env=self.environment, capture_output=True, text=True, check=False).stdout
        return said == "b true\n"

    def start_holdfastd(self):
        (self.directory / "holdfast.yaml").write_text(CONFIG)
        for folder in ("run", "lib", "libexec"):
            (self.directory / folder).mkdir()
            os.chown(self.directory / folder, USERS["holdfast"], USERS["holdfast"])
        for helper in ("prober", "runner"):
            (self.directory / "libexec" / f"holdfast-{helper}").symlink_to(BUILD / f"src/{helper}/holdfast-{helper}")
        self.start("holdfastd", "setpriv", "--reuid=holdfast", "--regid=holdfast", "--clear-groups", "--inh-caps=+net_admin,+net_raw",
                   "--ambient-caps=+net_admin,+net_raw", BUILD / "src/daemon/holdfastd", "--config", self.directory / "holdfast.yaml",
                   "--runtime-dir", self.directory / "run", "--state-dir", self.directory / "lib", "--helper-dir", self.directory / "libexec",
                   "--node-name", "lb1")
        until(lambda: self.has_owner("org.holdfast1"), "org.holdfast1: " + (self.directory / "holdfastd.log").read_text())
        (self.directory / "run/private").chmod(0o666)  # so that its own say is seen, and not only the file's mode

    def set_polkit(self, how: str):
        """A polkitd with these rules; `none`: there is none."""
        if self.polkit:
            self.polkit.send_signal(signal.SIGTERM)
            self.polkit.wait()
            until(lambda: not self.has_owner("org.freedesktop.PolicyKit1"), "polkit's end")
            self.polkit = None
        if how == "none":
            return
        rule = "polkit.addRule(function(action, subject) {{ return polkit.Result.{}; }});\n"
        example = re.sub(r"^// ", "", (ROOT / "systemd/holdfast.rules").read_text(), flags=re.MULTILINE)
        text = {"yes": rule.format("YES"), "no": rule.format("NO"), "default": "", "ask": "", "example": example}[how]
        (self.rules / "49-holdfast.rules").write_text(text)
        self.polkit = self.start("polkit", POLKITD, "--no-debug")
        until(lambda: self.has_owner("org.freedesktop.PolicyKit1"), "polkit")

    def call(self, caller: str, how: str, row: str) -> tuple[str, str]:
        what = row.removeprefix("no ")
        interface, member = what.removeprefix("set ").rsplit(".", 1)
        path = OBJECT.get(interface, "/org/holdfast1")
        interface = f"org.freedesktop.{interface}" if interface.startswith(("DBus.", "LogControl1")) else f"org.holdfast1.{interface}"
        arguments = next((given for key, given in ARGUMENTS.items() if what.endswith(key)), [])
        command = ["busctl", f"--address={self.private}" if how == "private" else "--system", "--timeout=20",
                   f"--allow-interactive-authorization={'yes' if how == 'ask' else 'no'}"]
        if what.startswith("set "):
            command += ["call", "org.holdfast1", path, "org.freedesktop.DBus.Properties", "Set", "ssv", interface, member,
                        "s", *(arguments or ["x"])]  # as set-property does, which takes no heed of the interactive flag in 252
        else:
            command += ["call", "org.holdfast1", path, interface, member, *arguments]
        number = USERS[caller]
        become = ["setpriv", f"--reuid={number}", f"--regid={number}", "--init-groups" if number not in (0, 65534) else "--clear-groups"]
        done = subprocess.run([*become, *command], env=self.environment, capture_output=True, text=True, check=False)
        return self.word(done), done.stdout + done.stderr

    @staticmethod
    def word(done: subprocess.CompletedProcess) -> str:
        for text, word in (("Access denied", "denied"), ("polkit wants a password", "password"), ("not a property that can be set", "fixed"),
                           ("answers to no method", "unknown")):
            if text in done.stderr:
                return word
        # Whatever the objects themselves say, they were asked.
        known = done.returncode == 0 or re.search(r"there is nothing to|can't be served here", done.stderr)
        return "yes" if known else f"? {done.stderr}"

    def level(self) -> str:
        return subprocess.run(["busctl", "get-property", "org.holdfast1", "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1",
                               "LogLevel"], env=self.environment, capture_output=True, text=True, check=False).stdout.split('"')[1]

    def run(self) -> dict:
        self.prepare()
        self.start_bus()
        self.start_holdfastd()
        columns, rows = table()
        found: dict = {}
        for column in sorted(columns, key=lambda each: each.split("/")[1]):
            caller, how = column.split("/")
            if how != "private":
                self.set_polkit(how)
            found[column] = {row: self.call(caller, how, row) for row in rows}
        before = self.level()
        subprocess.run(["busctl", "set-property", "org.holdfast1", "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1", "LogLevel",
                        "s", "debug"], env=self.environment, check=True)
        return {**found, "level": [before, self.level()]}


if __name__ == "__main__":
    place = pathlib.Path(sys.argv[1])
    results = Inside(place).run()
    (place / "results.json").write_text(json.dumps(results))
