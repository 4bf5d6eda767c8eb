"""holdfast-metrics beside a real daemon: what curl gets, what promtool says to it, and what is left when the daemon dies."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest
from conftest import Pair
from world import BUILD, wait_for

PROGRAM = str(BUILD / "src/metrics/holdfast-metrics")
OPEN_METRICS = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5"


@contextlib.contextmanager
def metrics(host, *options: str):
    """As systemd starts it: the socket listens, its name comes with it. Yields the program and its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def hand_over():
        os.dup2(listener.fileno(), 4)  # descriptor 3 has another name: ours is found by its own
        os.dup2(os.open("/dev/null", os.O_RDONLY), 3)

    arguments = [PROGRAM, f"--address=unix:path={host.directory}/run/private", *options]
    # The shell becomes the program, with the number that it has then.
    process = subprocess.Popen(["sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"', *arguments], preexec_fn=hand_over, close_fds=False,
                               env={**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "other:metrics"})
    try:
        yield process, listener.getsockname()[1]
    finally:
        process.kill()
        process.wait()
        listener.close()


def curl(port: int, *options: str, path: str = "/metrics") -> str:
    return subprocess.run(["curl", "-s", "-i", "--max-time", "10", *options, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True,
                          check=True).stdout


def test_a_trackers_runs_are_counted_and_timed(world):
    pair = Pair(world, instance_extra="    track: [{tracker: nap, weight: 2}]\n",
                extra="trackers:\n  nap: {script: [/bin/sleep, '0.02'], interval: 200ms}\n")
    with metrics(pair.lb1) as (_, port):
        def figure(what: str) -> float:
            return float(next((line.split()[-1] for line in curl(port).splitlines() if line.startswith(f"holdfast_tracker_{what}")), 0))

        wait_for(lambda: figure("runs_total") >= 5, 10, "five runs to be shown")
        assert figure('duration_seconds_bucket{tracker="nap",kind="script",le="0.01"}') == 0
        assert 0.02 <= figure("duration_seconds_sum") / figure("duration_seconds_count") < 1


def test_a_scrape_shows_what_the_daemon_does_and_nothing_of_a_dead_one(world):
    pair = Pair(world)
    with metrics(pair.lb1) as (_, port):
        classic = curl(port)
        assert "200 OK" in classic and "Content-Type: text/plain; version=0.0.4" in classic
        assert 'holdfast_vrrp_state{vrrp="web",interface="eth0",vrid="51",family="ipv4",state="master"} 1' in classic
        assert 'holdfast_vip_assigned{vrrp="web",address="10.77.0.100/24"} 1' in classic
        sent = int(classic.split('holdfast_vrrp_adverts_sent_total{vrrp="web"} ')[1].split()[0])
        modern = curl(port, "-H", OPEN_METRICS)
        assert "Content-Type: application/openmetrics-text; version=1.0.0" in modern and modern.endswith("# EOF\n")
        assert "# TYPE holdfast_vrrp_adverts_sent counter" in modern
        assert int(modern.split('holdfast_vrrp_adverts_sent_total{vrrp="web"} ')[1].split()[0]) >= sent > 0
        pair.lb1.holdfastd.kill()
        assert curl(port).endswith("# TYPE holdfast_up gauge\nholdfast_up 0\n")
        pair.lb1.start_holdfastd()
        wait_for(lambda: "holdfast_up 1" in curl(port), 15, "the daemon's metrics again")
    with metrics(pair.lb1, "--metrics-compat=keepalived") as (_, port):
        old = curl(port)
        assert "keepalived_up 1" in old and 'keepalived_vrrp_state{iname="web",intf="eth0",vrid="51",ip_address="10.77.0.100/24"}' in old


def test_a_daemon_that_hangs_counts_as_none(world):
    pair = Pair(world)
    with metrics(pair.lb1) as (_, port):
        pair.lb1.holdfastd.kill(signal.SIGSTOP)
        began = time.monotonic()
        assert "holdfast_up 0" in curl(port)
        pair.lb1.holdfastd.kill(signal.SIGCONT)
        assert time.monotonic() - began < 8


def test_promtool_finds_nothing_to_say(world):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (package prometheus)")
    pair = Pair(world)
    with metrics(pair.lb1) as (_, port):
        body = curl(port).split("\r\n\r\n", 1)[1]
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_only_get_of_one_page_and_bounded(world):
    host = world.add("lb1")
    with metrics(host, "--idle=1") as (process, port):
        assert "404 Not Found" in curl(port, path="/")
        assert "405 Method Not Allowed" in curl(port, "-X", "POST")
        assert "431" in curl(port, "-H", "A: " + "a" * 9000).splitlines()[0]
        # Sixteen that say nothing hold up a scrape until their time is over, and no longer.
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(16)]
        began = time.monotonic()
        assert "holdfast_up 0" in curl(port)
        assert time.monotonic() - began < 8
        assert all(each.recv(1) == b"" for each in silent)
        wait_for(lambda: process.poll() is not None, 5, "the end of an idle program")
        assert process.returncode == 0


def test_without_its_socket_it_says_what_to_do():
    done = subprocess.run([PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "start holdfast-metrics.socket" in done.stderr
    done = subprocess.run([PROGRAM, "--colour"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "'--colour' is not known" in done.stderr
