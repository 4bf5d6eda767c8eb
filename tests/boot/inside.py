"""Runs as root inside the booted container and writes what it saw to /lab/results.json; the assertions are outside, in
test_boot.py, except that a step which breaks records why."""

from __future__ import annotations

import json
import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import subprocess
import termios
import time
import urllib.request

from booted_host import (OBJECT, has_address, install, play, plug, property_of, run, show, state, wait_for, write)

CONFIG = """
instances:
  web:
    interface: eth0
    vrid: 51
    advert_interval: 100ms
    addresses: [192.0.2.10/24]
    notify: {all: [/bin/sh, -c, 'echo "$HOLDFAST_STATE" >> /run/holdfast-runner/told'], units: {master: [onmaster.service], backup: [onbackup.service]}}
    track: [nginx, mended, {tracker: page, weight: 10}, {tracker: workers, weight: 5}, {tracker: scripted, weight: 3},
            {tracker: door, weight: 2}, {tracker: other, weight: 1}]
trackers:
  mended: {unit: mended.service, restart: 3s}
  nginx: {unit: nginx.service}
  page: {http: "http://127.0.0.1/", interval: 200ms}
  workers: {process: nginx}
  scripted: {script: [/usr/bin/test, -e, /run/flag], interval: 200ms}
  door: {tcp: "127.0.0.1:8099", interval: 200ms}
  other: {script: [/bin/sh, -c, 'test "$(id -un)" = nobody && grep -q "^CapPrm:[[:space:]]*0*$" /proc/self/status'], user: nobody, interval: 200ms}
"""
HELPERS = ("holdfast-prober", "holdfast-runner")
ALL = "y 120"  # 100, and the weights of all trackers but `other`
FLAG = pathlib.Path("/run/flag")
results: dict[str, object] = {}
doors: list[socket.socket] = []


def setup():
    pathlib.Path("/etc/systemd/system/mended.service").write_text("[Service]\nExecStart=/bin/sleep infinity\n")
    for name in ("onmaster", "onbackup"):
        pathlib.Path(f"/etc/systemd/system/{name}.service").write_text("[Service]\nExecStart=/bin/sleep infinity\n")
    install(CONFIG)
    FLAG.touch()
    doors.append(socket.create_server(("127.0.0.1", 8099), backlog=1000))
    rules = pathlib.Path("/etc/polkit-1/rules.d/49-test.rules")
    rules.parent.mkdir(exist_ok=True, parents=True)
    example = pathlib.Path("/usr/share/doc/holdfast/holdfast.rules").read_text()
    rules.write_text(example.replace("\n// ", "\n").replace('"nginx.service"', '"nginx.service", "mended.service", "onmaster.service", "onbackup.service"'))
    rules.chmod(0o644)
    plug()


def start():
    run("systemctl", "start", "nginx", "mended")
    began = time.monotonic()
    run("systemctl", "start", "holdfast")
    results["start_seconds"] = time.monotonic() - began
    wait_for(lambda: state() == "master", 5, "mastership")
    wait_for(lambda: show("ActiveState", "onmaster") == "active", 5, "the master's unit")
    wait_for(lambda: "web" in show("StatusText") and "master" in show("StatusText"), 2, "the status line")
    results["status_text"] = show("StatusText")
    results["user"] = run("ps", "-o", "user=", "-p", show("MainPID"))
    results["introspect"] = run("busctl", "introspect", "org.holdfast1", OBJECT)
    results["tree"] = run("busctl", "tree", "--list", "org.holdfast1")
    results["holdfastctl"] = run("holdfastctl", "status")
    results["status_lines"] = [run("holdfastctl", "status", "web", *more).split("\n\n")[-1] for more in ((), ("--lines=2",), ("--lines=0",))]
    results["log"] = run("holdfastctl", "log", "web", "--explain", "--lines", "50")
    results["scheduling"] = run("chrt", "-p", show("MainPID"), check=False)


def rights():
    as_nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    results["nobody_reads"] = run(*as_nobody, "busctl", "get-property", "org.holdfast1", OBJECT, "org.holdfast1.Instance", "State")
    done = subprocess.run([*as_nobody, "busctl", "call", "org.holdfast1", "/org/holdfast1", "org.holdfast1.Manager", "Failover",
                           "sa{sv}", "web", "0"], capture_output=True, text=True)
    results["nobody_commands"] = [done.returncode, done.stderr.strip()]
    run("systemctl", "service-log-level", "holdfast", "debug")
    results["log_level"] = run("systemctl", "service-log-level", "holdfast")
    results["log_target"] = run("systemctl", "service-log-target", "holdfast")
    subprocess.run([*as_nobody, "busctl", "--allow-interactive-authorization=no", "call", "org.holdfast1", "/org/holdfast1",
                    "org.holdfast1.Manager", "Reload", "a{sv}", "0"], capture_output=True)
    wait_for(lambda: "refused: org.holdfast1.Manager.Reload" in run("journalctl", "-u", "holdfast", "-o", "cat"), 5, "the refusal in the journal")
    results["refused"] = [line for line in run("journalctl", "-u", "holdfast", "-o", "cat").splitlines() if line.startswith("refused:")][-1]
    run("systemctl", "service-log-level", "holdfast", "info")


def type_at_terminal(uid: int, typed: str, *command: str) -> list:
    """The status of a command that a user starts at a terminal, and what it wrote there; `typed` is for the first password."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        os.execvp(command[0], command)
    text, deadline = "", time.monotonic() + 30
    while time.monotonic() < deadline and select.select([terminal], [], [], deadline - time.monotonic())[0]:
        try:
            text += os.read(terminal, 4096).decode()
        except OSError:  # it has ended
            break
        if typed and text.rstrip().endswith("Password:"):
            # Who asks switches the echo off behind the question, and forgets what was typed before that (TCSAFLUSH).
            wait_for(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, 5, "the terminal without echo")
            os.write(terminal, typed.encode() + b"\n")
            typed = ""
    else:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    return [status, text]


def password():
    """polkit lets an administrator do it with a password: holdfastctl lets it ask, at a terminal only."""
    subprocess.run(["chpasswd"], input="root:right", text=True, check=True)
    reload = ("holdfastctl", "reload")
    results["password_right"] = type_at_terminal(65534, "right", *reload)
    results["password_wrong"] = type_at_terminal(1, "wrong", *reload)
    results["password_never"] = type_at_terminal(1, "", *reload, "--no-ask-password")
    done = subprocess.run(["setpriv", "--reuid=1", "--regid=1", "--clear-groups", *reload], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    results["password_no_terminal"] = [done.returncode, done.stderr]


def unit_tracker():
    pid = int(show("MainPID", "nginx"))
    moment = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: state() == "fault", 5, "the fault")
    results["unit_to_fault_ms"] = (time.monotonic() - moment) * 1000
    results["fault_reason"] = property_of("StateReason")
    wait_for(lambda: show("ActiveState", "onmaster") == "inactive", 3, "the master's unit to stop")
    wait_for(lambda: not has_address(), 2, "the address to go")
    run("systemctl", "start", "nginx")
    wait_for(lambda: state() == "master", 5, "mastership after nginx came back")
    wait_for(lambda: show("ActiveState", "onmaster") == "active", 3, "the master's unit")
    wait_for(lambda: show("ActiveState", "onbackup") == "inactive", 3, "the backup's unit to stop")
    results["units_journal"] = run("journalctl", "-u", "onbackup", "--no-pager", "-o", "cat", "--grep", "Started")


def tracker(name: str) -> dict:
    return next(t for t in json.loads(run("holdfastctl", "status", "--json"))["Trackers"] if t["Name"] == name)


def fail_mended() -> int:
    pid = int(show("MainPID", "mended"))
    os.kill(pid, signal.SIGKILL)
    return pid


def restart():
    """One restart by holdfast; a second failure within a minute, and a stop by the operator, are obeyed."""
    pid = fail_mended()
    wait_for(lambda: show("MainPID", "mended") not in (str(pid), "0"), 3, "the restarted unit")
    wait_for(lambda: tracker("mended")["Detail"] == "mended.service is active", 3, "the news of it")
    results["restart_state"] = [state(), tracker("mended")["Status"]]
    fail_mended()
    wait_for(lambda: state() == "fault", 3, "the fault")
    results["restart_again"] = [show("ActiveState", "mended"), tracker("mended")["Detail"]]
    run("systemctl", "start", "mended")
    wait_for(lambda: state() == "master", 5, "mastership")
    results["restart_journal"] = run("journalctl", "-u", "holdfast", "--no-pager", "-o", "cat", "--grep", "restarted once")


def rights_of(unit: str) -> list[str]:
    return [line for line in pathlib.Path(f"/proc/{show('MainPID', unit)}/status").read_text().splitlines()
            if line.startswith(("CapPrm", "CapEff", "CapBnd", "NoNewPrivs"))]


def helpers():
    """The prober and the runner, each in a unit and a sandbox of its own."""
    wait_for(lambda: property_of("EffectivePriority") == ALL, 5, "the weights")
    results["other"] = tracker("other")["Detail"]
    results["told"] = pathlib.Path("/run/holdfast-runner/told").read_text().split()
    for unit in HELPERS:
        results[f"cgroup:{unit}"] = pathlib.Path(f"/proc/{show('MainPID', unit)}/cgroup").read_text()
        results[f"user:{unit}"] = run("ps", "-o", "user:32=", "-p", show("MainPID", unit))
        results[f"rights:{unit}"] = rights_of(unit)
    results["children"] = run("pgrep", "-P", show("MainPID"), check=False)


def script_users():
    """The shipped drop-in lets scripts run as their users."""
    drop_in = pathlib.Path("/etc/systemd/system/holdfast-runner.service.d")
    drop_in.mkdir()
    shutil.copy("/usr/share/holdfast/script-users.conf", drop_in)
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "holdfast-runner")
    wait_for(lambda: property_of("EffectivePriority") == "y 121", 10, "the script of another user")
    results["other_as_nobody"] = tracker("other")["Status"]
    shutil.rmtree(drop_in)
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "holdfast-runner")
    wait_for(lambda: tracker("other")["Status"] == "down" and property_of("EffectivePriority") == ALL, 10, "the runner without rights")


MARKED = """
virtual_servers:
  marked:
    address: 192.0.2.10:81
    protocol: tcp
    check: {tcp: {}, interval: 200ms, source_port: 99, mark: 7}
    real_servers: {here: {address: "127.0.0.1:8099"}}
"""


def check_of(server: str) -> dict:
    listed = json.loads(run("holdfastctl", "--json=short", "ipvs", check=False) or "[]")
    return next((real for each in listed if each["Name"] == server for real in each["RealServers"]), {})


def probe_rights():
    """The shipped drop-in lets probes have marks and low ports; it is what the sandbox allows, and no more."""
    drop_in = pathlib.Path("/etc/systemd/system/holdfast-prober.service.d")
    write(CONFIG + MARKED)
    run("systemctl", "reload", "holdfast")
    wait_for(lambda: "probe-rights.conf" in str(check_of("marked")), 10, "the cure in the view of the check")
    drop_in.mkdir()
    shutil.copy("/usr/share/holdfast/probe-rights.conf", drop_in)
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "holdfast-prober")
    wait_for(lambda: check_of("marked")["State"] == "up", 10, "the probe with a mark")
    results["mark_rights"] = rights_of("holdfast-prober")
    shutil.rmtree(drop_in)
    write(CONFIG)
    run("systemctl", "daemon-reload")
    run("systemctl", "reload", "holdfast")
    run("systemctl", "restart", "holdfast-prober")
    wait_for(lambda: property_of("EffectivePriority") == ALL, 10, "the prober without rights")


def lost(unit: str, end) -> dict:
    """Ends the unit's process by `end`, and looks on until another one is there."""
    wait_for(lambda: property_of("EffectivePriority") == ALL, 10, "all trackers up")
    monitor = subprocess.Popen(["ip", "-o", "monitor", "address", "dev", "eth0"], stdout=subprocess.PIPE, text=True)
    pid, before, began, seen = int(show("MainPID", unit)), property_of("StateTimestampMonotonic"), time.monotonic(), set()
    end(pid)

    def another() -> bool:
        seen.add((state(), property_of("EffectivePriority")))
        return show("MainPID", unit) not in (str(pid), "0")

    wait_for(another, 20, f"another {unit}")
    started = int(show("ExecMainStartTimestampMonotonic", unit)) / 1e6
    seen.add((state(), property_of("EffectivePriority")))
    unmoved = before == property_of("StateTimestampMonotonic")
    # It works: what it watches fails, and is noticed.
    if unit == "holdfast-prober":
        doors.pop().close()
        wait_for(lambda: tracker("door")["Status"] == "down", 10, "the prober's news")
        doors.append(socket.create_server(("127.0.0.1", 8099), backlog=1000))
    else:
        FLAG.unlink()
        wait_for(lambda: tracker("scripted")["Status"] == "down", 10, "the runner's news")
        FLAG.touch()
    wait_for(lambda: property_of("EffectivePriority") == ALL, 10, "all trackers up again")
    monitor.terminate()
    return {"seen": sorted(map(list, seen)), "unmoved": unmoved and before == property_of("StateTimestampMonotonic"), "after": started - began,
            "deletions": [line for line in monitor.communicate()[0].splitlines() if line.startswith("Deleted")]}


def helpers_killed():
    for unit in HELPERS:
        tries = results[f"killed:{unit}"] = []
        while len(tries) < 3 and not (tries and tries[-1]["after"] < 1):  # this machine may be busy
            tries.append(lost(unit, lambda pid: os.kill(pid, signal.SIGKILL)))


def helpers_hang():
    for unit in HELPERS:
        results[f"hung:{unit}"] = lost(unit, lambda pid: os.kill(pid, signal.SIGSTOP))
        results[f"hung_result:{unit}"] = run("journalctl", "-u", unit, "--no-pager", "-o", "cat", "--grep", "[Ww]atchdog")


def no_socket():
    """A socket that somebody stopped: named with its cure, nothing falls back, and it works again when it is there."""
    before = property_of("StateTimestampMonotonic")
    run("systemctl", "stop", "holdfast-prober.socket", "holdfast-prober.service")
    wait_for(lambda: "cannot connect to /run/holdfast/prober" in run("journalctl", "-u", "holdfast", "-o", "cat"), 10, "the news of it")
    results["no_socket"] = [line for line in run("journalctl", "-u", "holdfast", "-o", "cat").splitlines() if "cannot connect to /run" in line][0]
    results["no_socket_held"] = [property_of("EffectivePriority"), run("pgrep", "-P", show("MainPID"), check=False)]
    run("systemctl", "start", "holdfast-prober.socket")
    wait_for(lambda: show("ActiveState", "holdfast-prober") == "active", 15, "the prober")
    doors.pop().close()
    wait_for(lambda: tracker("door")["Status"] == "down", 10, "the prober's news")
    doors.append(socket.create_server(("127.0.0.1", 8099), backlog=1000))
    wait_for(lambda: property_of("EffectivePriority") == ALL, 10, "all trackers up again")
    results["no_socket_unmoved"] = before == property_of("StateTimestampMonotonic")


def metrics():
    run("systemctl", "start", "holdfast-metrics.socket")
    with urllib.request.urlopen("http://127.0.0.1:9810/metrics", timeout=20) as answer:
        results["metrics"] = answer.read().decode()


def journal():
    lines = [json.loads(line) for line in run("journalctl", "-u", "holdfast", "-o", "json", "HOLDFAST_INSTANCE=web").splitlines()]
    edges = [entry for entry in lines if entry.get("HOLDFAST_NEW_STATE") == "fault"]
    results["journal_edge"] = edges[-1] if edges else None
    results["journal_explained"] = run("journalctl", "-x", "-u", "holdfast", "--no-pager", "HOLDFAST_NEW_STATE=fault")


def reload():
    before = property_of("StateTimestampMonotonic")
    run("systemctl", "reload", "holdfast")
    wait_for(lambda: "Reload" not in show("StatusText"), 2, "the end of the reload")
    results["reload_kept_state"] = before == property_of("StateTimestampMonotonic")
    write("instances: {web: {vrid: 999}}")
    run("systemctl", "reload", "holdfast", check=False)
    wait_for(lambda: "failed" in property_of("LastReloadResult", "Manager", "/org/holdfast1"), 3, "the failed reload")
    results["bad_reload"] = [state(), show("ActiveState"), property_of("LastReloadErrors", "Manager", "/org/holdfast1")]
    write(CONFIG)
    run("systemctl", "reload", "holdfast")
    wait_for(lambda: '"ok"' in property_of("LastReloadResult", "Manager", "/org/holdfast1"), 3, "the good reload")


def added():
    """Real servers that are added, under the unit's sandbox, and what a restart finds of them."""
    origins = lambda: {real["Name"]: real["Origin"] for real in json.loads(run("holdfastctl", "--json=short", "ipvs", "pool"))[0]["RealServers"]}
    run("holdfastctl", "add", "pool/c", "127.0.0.1:8083")
    run("holdfastctl", "add", "pool/d", "127.0.0.1:8084", "--persistent")
    results["added"] = origins()
    run("systemctl", "restart", "holdfast")
    results["added_restarted"] = origins()
    results["added_files"] = run("stat", "-c", "%U %a", "/run/holdfast/servers.yaml", "/var/lib/holdfast/servers.yaml").split("\n")
    for name in ("pool/c", "pool/d"):
        run("holdfastctl", "remove", name)
    results["added_removed"] = origins()


def upstream():
    """nginx balances: health changes its file, systemd reloads it, and what nginx refuses is taken back."""
    include, file = pathlib.Path("/etc/nginx/conf.d/holdfast.conf"), pathlib.Path("/var/lib/holdfast/nginx/pool.conf")
    workers = lambda: set(run("pgrep", "-P", show("MainPID", "nginx"), check=False).split())
    pool = lambda name: property_of(name, "VirtualServer", "/org/holdfast1/virtual_server/pool")
    include.write_text("include /var/lib/holdfast/nginx/*.conf;\n")
    run("systemctl", "restart", "nginx")
    before = workers()
    write(CONFIG + "virtual_servers:\n  pool: {kind: nginx, check: {tcp: {}, interval: 200ms}, "
          "real_servers: {a: {address: '127.0.0.1:8081'}, b: {address: '127.0.0.1:8082'}}}\n")
    with socket.create_server(("127.0.0.1", 8081)):
        run("systemctl", "reload", "holdfast")
        wait_for(lambda: file.exists() and "8082 down" in file.read_text(), 10, "b down in the file")
        # A first reload may have told nginx of both servers, before a check had found b down.
        told = lambda: int(run("busctl", "get-property", "org.freedesktop.systemd1", "/org/freedesktop/systemd1/unit/nginx_2eservice",
                               "org.freedesktop.systemd1.Unit", "StateChangeTimestamp").split()[1]) / 1e6
        wait_for(lambda: told() > file.stat().st_mtime and show("ActiveState", "nginx") == "active", 10, "a reload with b down")
        wait_for(lambda: not workers() & before, 10, "the workers of before to go")
        results["upstream_problem_before"] = pool("Problem")
        include.write_text("include /var/lib/holdfast/nginx/*.conf;\nnonsense;\n")
        with socket.create_server(("127.0.0.1", 8082)):
            wait_for(lambda: "was not reloaded (failed)" in pool("Problem"), 10, "the problem")
            results["upstream_state"] = pool("State")
            # It is tried again now and then, so for a moment the new file may stand there.
            results["upstream_taken_back"] = wait_for(lambda: "8082 down" in (text := file.read_text()) and text, 5,
                                                      "the file that nginx has read")
            include.write_text("include /var/lib/holdfast/nginx/*.conf;\n")
            wait_for(lambda: pool("Problem") == 's ""', 15, "nginx to take it")
            results["upstream_file"] = file.read_text()
    added()
    write(CONFIG)
    run("systemctl", "reload", "holdfast")


def killed():
    """At 100 ms adverts the next process may adopt for 300 ms: where starting it took most of that, this machine was too late
    itself, and it is tried again."""
    for _ in range(3):
        monitor = subprocess.Popen(["ip", "-o", "monitor", "address", "dev", "eth0"], stdout=subprocess.PIPE, text=True)
        pid, restarts, began = int(show("MainPID")), int(show("NRestarts")), time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: show("MainPID") not in (str(pid), "0"), 3, "the restarted daemon")
        took = time.monotonic() - began
        wait_for(lambda: state() == "master", 3, "mastership")
        results["killed_reason"] = property_of("StateReason")
        time.sleep(0.3)
        monitor.terminate()
        results["killed_deletions"] = [line for line in monitor.communicate()[0].splitlines() if line.startswith("Deleted")]
        results["restarts"] = str(int(show("NRestarts")) - restarts)
        if "adopted" in results["killed_reason"] or took < 0.2:
            return


def watchdog():
    drop_in = pathlib.Path("/run/systemd/system/holdfast.service.d")
    drop_in.mkdir(parents=True)
    (drop_in / "watchdog.conf").write_text("[Service]\nWatchdogSec=1\nTimeoutAbortSec=1\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "holdfast")
    wait_for(lambda: state() == "master", 5, "mastership")
    time.sleep(2.5)  # longer than two watchdog periods: it must be fed
    restarts = int(show("NRestarts"))
    results["watchdog_fed"] = restarts == 0
    os.kill(int(show("MainPID")), signal.SIGSTOP)
    wait_for(lambda: int(show("NRestarts")) > restarts, 8, "the watchdog's restart")
    wait_for(lambda: state() == "master", 8, "mastership after the watchdog")
    results["watchdog_journal"] = run("journalctl", "-u", "holdfast", "--no-pager", "-n", "60", "-o", "cat", "--grep", "[Ww]atchdog")


def stop():
    run("systemctl", "stop", "holdfast")
    results["stopped"] = [show("Result"), has_address()]
    wait_for(lambda: all(show("ActiveState", unit) == "inactive" for unit in HELPERS), 5, "the helpers to end with their daemon")
    ended = lambda unit, which: int(show(f"{which}TimestampMonotonic", unit))
    results["helpers_outlive_the_daemon"] = [ended(unit, "ExecMainExit") >= ended("holdfast", "ExecMainExit") for unit in HELPERS]
    wait_for(lambda: show("ActiveState", "onmaster") == "inactive", 3, "the master's unit to stop with its holdfast")
    write("instances: [")
    done = subprocess.run(["systemctl", "start", "holdfast"], capture_output=True, text=True)
    results["bad_start"] = [done.returncode, show("ExecMainStatus"), show("NRestarts"), show("ActiveState")]
    write(CONFIG)


def cut_short():
    """A stop that is killed while it waits for a successor: what it left is gone before the lease would end it."""
    write(CONFIG.replace("100ms", "1s", 1))
    run("systemctl", "start", "holdfast")
    wait_for(lambda: state() == "master" and has_address(), 10, "mastership")
    pid, mark = int(show("MainPID")), pathlib.Path("/run/holdfast/stopping")
    run("systemctl", "stop", "--no-block", "holdfast")
    wait_for(mark.exists, 3, "the mark of the stop")
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    wait_for(lambda: not has_address(), 10, "the address to go")
    gone = time.monotonic() - killed
    wait_for(lambda: show("ActiveState") == "failed", 5, "the stop to end")  # with it ExecStopPost's last words
    run("journalctl", "--sync")
    results["cut_short"] = [gone, mark.exists()]
    results["cut_short_journal"] = run("journalctl", "-u", "holdfast", "--no-pager", "-n", "20", "-o", "cat")
    write(CONFIG)


def unit_file():
    units = [file.name for file in pathlib.Path("/usr/lib/systemd/system").glob("holdfast*.*")]
    results["units"] = sorted(units)
    results["verify"] = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True).stderr
    for unit in ("holdfast", "holdfast-metrics", *HELPERS):
        results[f"security:{unit}"] = run("systemd-analyze", "security", "--no-pager", f"{unit}.service", check=False).splitlines()[-1]


play((setup, start, rights, password, unit_tracker, restart, helpers, script_users, probe_rights, helpers_killed, helpers_hang, no_socket, metrics, journal, reload,
      upstream, killed, watchdog, stop, cut_short, unit_file), results)
