"""Two and three holdfasts on a real link: who holds the address, and what everybody sees of it."""

from __future__ import annotations

import signal
import socket
import subprocess
import time

import pytest
from client import Client
from conftest import Pair, promised
from world import BUILD, now, wait_for


@pytest.mark.parametrize("vip,prefix", [("10.77.0.100", "/24"), ("10.77.0.100", ""), ("fd77::100", "/64")])
def test_the_better_host_holds_the_address_alone_under_a_lease(world, vip, prefix):
    pair = Pair(world, vip, prefix=prefix)
    shown = pair.lb1.ip("-d", "address", "show", "dev", "eth0", "to", vip)
    assert "valid_lft forever" not in shown and "noprefixroute" in shown
    if ":" in vip:
        assert "preferred_lft 0sec" in shown and "nodad" in shown
    time.sleep(3.5)  # longer than the lease: renewing is what keeps it
    assert pair.holders() == ["lb1"]


def test_version_2_elects_in_seconds(world):
    pair = Pair(world, interval="1s", instance_extra="    version: 2\n")
    assert pair.instance(pair.lb2)["State"] == "backup"
    moment = pair.lb1.holdfastd.kill(signal.SIGTERM)
    pair.wait_on("lb2", 3)
    assert now() - moment < 1.5


def test_killed_for_good_the_peer_takes_over_and_the_lease_ends(world):
    pair = Pair(world)
    lease = pair.instance(pair.lb1)["LeaseUSec"] / 1e6
    moment = pair.lb1.holdfastd.kill()
    wait_for(lambda: pair.lb2.has(pair.vip), 2, "the take-over")
    pair.wait_on("lb2", lease + 2)
    assert now() - moment <= lease + 1.0


@pytest.mark.parametrize("interval,delay", [("1s", 0.2), ("100ms", 0.05)])
def test_killed_and_restarted_the_daemon_adopts_and_nobody_notices(world, interval, delay):
    pair = Pair(world, interval=interval)
    pair.lb1.start_nginx()
    client = Client(world.add("client"), pair.vip)
    time.sleep(0.3)
    since = pair.lb1.holdfastd.kill()
    time.sleep(delay)
    pair.lb1.start_holdfastd()
    time.sleep(4 * pair.seconds + 0.5)
    client.settle()
    promised(client, since, 0)
    assert pair.instance(pair.lb2)["Counters"]["became_master"] == 0
    mine = pair.instance(pair.lb1)
    assert (mine["State"], mine["StateReason"]["Code"]) == ("master", "adopted")


def test_a_graceful_stop_has_no_outage(world):
    pair = Pair(world, interval="1s")
    for host in pair.hosts:
        host.start_nginx()
    client = Client(world.add("client"), pair.vip)
    time.sleep(0.3)
    since = pair.lb1.holdfastd.kill(signal.SIGTERM)
    assert pair.lb1.holdfastd.wait() == 0
    pair.wait_on("lb2", 2)
    client.settle()
    # One connection that is half-way when the client's ARP cache moves may be cut; no new one fails.
    assert set(promised(client, since, 2).first_from) == {"lb1", "lb2"}


def test_failover_without_a_successor_keeps_the_address(world):
    pair = Pair(world, hosts=2)
    pair.lb2.holdfastd.end()
    done = subprocess.run(["env", f"DBUS_SYSTEM_BUS_ADDRESS={pair.lb1.bus_address}", str(BUILD / "src/ctl/holdfastctl"),
                           "failover", "web"], capture_output=True, text=True)
    assert done.returncode == 1 and "no successor in 200 ms" in done.stderr
    assert pair.holders() == ["lb1"] and pair.instance(pair.lb1)["State"] == "master"


def test_failover_holds_the_better_host_back_until_the_successor_leaves(world):
    pair = Pair(world)
    pair.lb1.ctl("failover", "web")
    pair.wait_on("lb2", 2)
    time.sleep(0.6)
    assert pair.holders() == ["lb2"] and pair.instance(pair.lb1)["HeldBack"] is True
    pair.lb2.holdfastd.kill(signal.SIGTERM)
    pair.wait_on("lb1", 2)
    assert pair.instance(pair.lb1)["HeldBack"] is False


def test_an_address_that_somebody_deletes_is_back_at_once(world):
    pair = Pair(world)
    for _ in range(3):
        pair.lb1.ip("address", "del", f"{pair.vip}/24", "dev", "eth0")
        wait_for(lambda: pair.lb1.has(pair.vip), 0.3, "the address to come back")
        time.sleep(0.15)
    assert pair.instance(pair.lb2)["Counters"]["became_master"] == 0
    assert pair.instance(pair.lb1)["Counters"]["addresses_restored"] == 3


def test_an_address_that_is_not_ours_is_left_alone(world):
    pair = Pair(world, start=False)
    pair.lb1.ip("address", "add", f"{pair.vip}/24", "dev", "eth0")
    for host in pair.hosts:
        host.start_holdfastd()
    wait_for(lambda: "Instances" in pair.lb1.status() and pair.instance(pair.lb1)["State"] == "master", 3, "lb1 as master")
    assert pair.instance(pair.lb1)["Addresses"][0]["State"] == "foreign"
    pair.lb1.holdfastd.end()
    assert "valid_lft forever" in pair.lb1.ip("address", "show", "dev", "eth0", "to", pair.vip)
    assert "is on eth0 already, and not by holdfast" in pair.lb1.log("holdfastd")


def test_the_hosts_own_address_outlives_the_vip_that_was_its_primary(world):
    pair = Pair(world, start=False)
    pair.lb1.ip("address", "flush", "dev", "eth0", "scope", "global")
    pair.lb1.ip("address", "add", "10.88.0.1/24", "dev", "eth0")  # something to send from
    for host in pair.hosts:
        host.start_holdfastd()
    wait_for(lambda: pair.lb1.has(pair.vip), 3, "the address on lb1")
    pair.lb1.ip("address", "add", "10.77.0.1/24", "dev", "eth0")  # becomes secondary to the VIP
    pair.lb1.holdfastd.kill()
    wait_for(lambda: not pair.lb1.has(pair.vip), 6, "the lease's end")
    assert pair.lb1.has("10.77.0.1")


def test_a_stopped_process_that_wakes_late_does_not_take_back_what_it_lost(world):
    pair = Pair(world)
    pair.lb1.holdfastd.kill(signal.SIGSTOP)
    pair.wait_on("lb2", 7)
    pair.lb1.holdfastd.kill(signal.SIGCONT)
    moment = now()
    # It is the better host and preempts like a newcomer, after master-down: never at once, as if it still were master.
    while now() - moment < 0.2:
        assert not pair.lb1.has(pair.vip)
    pair.wait_on("lb1", 2)
    assert "slept past its own lease" in pair.lb1.log("holdfastd")


def test_a_missing_interface_is_a_fault_that_ends_when_it_appears(world):
    pair = Pair(world, start=False)
    pair.lb1.ip("link", "set", "eth0", "down")
    pair.lb1.ip("link", "set", "eth0", "name", "eth9")
    pair.lb1.start_holdfastd()
    wait_for(lambda: pair.lb1.status().get("Instances"), 3, "lb1 on the bus")
    mine = pair.instance(pair.lb1)
    assert mine["State"] == "fault"
    assert mine["StateReason"] == {"Code": "link_missing", "Text": "there is no interface eth0"}
    pair.lb1.ip("link", "set", "eth9", "name", "eth0")
    pair.lb1.ip("link", "set", "eth0", "up")
    pair.wait_on("lb1", 6)


def test_three_hosts_the_third_waits_its_turn(world):
    pair = Pair(world, hosts=3, priorities=(250, 200, 150))
    lb3 = pair.hosts[2]
    pair.lb1.holdfastd.end()
    pair.wait_on("lb2", 2)
    assert pair.instance(lb3)["Counters"]["became_master"] == 0
    pair.lb2.holdfastd.kill()
    wait_for(lambda: lb3.has(pair.vip), 2, "lb3's take-over")


# ---- trackers -------------------------------------------------------------------------------------------------------------

def test_the_address_follows_nginx_and_ignores_the_other_hosts_nginx(world):
    pair = Pair(world, start=False, instance_extra="    track: [nginx]\n", extra="trackers:\n  nginx: {process: nginx}\n")
    for host in pair.hosts:
        host.start_nginx()
    pair.start()
    moment = pair.lb1.kill_nginx()
    wait_for(lambda: pair.lb2.has(pair.vip), 1, "the address on lb2")
    assert now() - moment < 0.3
    wait_for(lambda: pair.instance(pair.lb1)["State"] == "fault", 1, "lb1 in fault")
    assert pair.instance(pair.lb1)["Faults"][0]["Code"] == "tracker"
    pair.lb1.start_nginx()
    pair.wait_on("lb1", 3)


def test_workers_without_their_master_are_degraded_not_down(world):
    pair = Pair(world, start=False, instance_extra="    track: [nginx]\n", extra="trackers:\n  nginx: {process: nginx}\n")
    for host in pair.hosts:
        host.start_nginx()
    pair.start()
    pair.lb1.processes["nginx"].kill(signal.SIGKILL)
    wait_for(lambda: pair.lb1.status()["Trackers"][0]["Degraded"], 3, "the tracker to be degraded")
    assert pair.holders() == ["lb1"] and pair.lb1.status()["Trackers"][0]["Status"] == "up"
    for pid in pair.lb1.run("pgrep", "-f", f"{pair.lb1.directory}/nginx.conf", check=False).split():
        subprocess.run(["kill", pid], check=False)
    for pid in subprocess.run(["ip", "netns", "pids", pair.lb1.namespace], capture_output=True, text=True).stdout.split():
        comm = subprocess.run(["cat", f"/proc/{pid}/comm"], capture_output=True, text=True).stdout.strip()
        if comm == "nginx":
            subprocess.run(["kill", "-9", pid], check=False)
    pair.wait_on("lb2", 2)


def test_an_http_tracker_lowers_the_priority_by_its_weight(world):
    extra = ("trackers:\n  page: {http: \"http://127.0.0.1/\", interval: 200ms, timeout: 100ms, fall: 2}\n")
    pair = Pair(world, start=False, instance_extra="    track: [{tracker: page, weight: -100}]\n", extra=extra)
    for host in pair.hosts:
        host.start_nginx()
    pair.start()
    pair.lb1.kill_nginx()
    pair.wait_on("lb2", 3)
    mine = pair.instance(pair.lb1)
    assert (mine["State"], mine["EffectivePriority"]) == ("backup", 150)


def test_the_prober_and_the_runner_may_die_and_nothing_fails_over(world):
    pair = Pair(world, start=False, instance_extra="    track: [nginx]\n", extra="trackers:\n  nginx: {process: nginx}\n")
    for host in pair.hosts:
        host.start_nginx()
    pair.start()
    children = subprocess.run(["ip", "netns", "pids", pair.lb1.namespace], capture_output=True, text=True).stdout.split()
    runner = [pid for pid in children
              if subprocess.run(["cat", f"/proc/{pid}/comm"], capture_output=True, text=True).stdout.startswith("holdfast-runner")]
    assert len(runner) == 1
    subprocess.run(["kill", "-9", *runner], check=True)
    time.sleep(0.3)
    assert pair.holders() == ["lb1"]
    # Exits are seen without the runner: the pidfds are the daemon's own.
    pair.lb1.kill_nginx()
    pair.wait_on("lb2", 1)


def test_a_helper_that_cannot_run_stands_in_the_status_until_it_serves(world):
    pair = Pair(world, start=False, instance_extra="    track: [up]\n", extra="trackers:\n  up: {script: [/bin/true], interval: 100ms}\n")
    program = world.directory / "libexec/holdfast-runner"
    good = program.readlink()
    program.unlink()
    program.symlink_to("/bin/false")

    def missing() -> list[str]:
        return [text for text in pair.lb1.status()["Missing"] if text.startswith("runner: ")]
    pair.lb1.start_holdfastd()
    text, = wait_for(lambda: pair.lb1.status() and missing(), 5, "the runner's absence")
    assert "exit status 1" in text and text.endswith("its last verdicts hold")
    assert "exit status 1" in pair.lb1.ctl("status")
    program.unlink()
    program.symlink_to(good)
    wait_for(lambda: not missing(), 8, "the runner again")
    assert pair.lb1.status()["Trackers"][0]["Status"] == "up"


# ---- configuration ----------------------------------------------------------------------------------------------------------

def adverts(host, seconds: float) -> list[float]:
    """When adverts passed, seen from `host`."""
    program = ("import socket,struct,time,sys;"
               "s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW,socket.htons(0x0800));s.settimeout(0.05);"
               "end=time.time()+float(sys.argv[1])\n"
               "while time.time()<end:\n"
               "  try: p=s.recv(2048)\n"
               "  except TimeoutError: continue\n"
               "  if p[23]==112: print(time.clock_gettime(time.CLOCK_MONOTONIC))\n")
    return [float(line) for line in host.run("python3", "-c", program, str(seconds)).split()]


def test_reloading_an_unchanged_file_changes_nothing(world):
    pair = Pair(world)
    before = pair.instance(pair.lb1)
    pair.lb1.holdfastd.kill(signal.SIGHUP)
    seen = adverts(pair.lb2, 2.0)
    gaps = [b - a for a, b in zip(seen, seen[1:])]
    assert max(gaps) < 0.15 and len(seen) >= 18
    after = pair.instance(pair.lb1)
    assert before["StateTimestampMonotonic"] == after["StateTimestampMonotonic"]
    assert after["Counters"]["addresses_restored"] == 0


def test_a_broken_file_never_changes_a_running_daemon(world):
    pair = Pair(world)
    for text in ("", "instances: [", pair.text.replace("priority", "prioirty"), "\0\1\2", "x" * 2_000_000, pair.text[:-20] + "{"):
        world.configure(text)
        done = subprocess.run(["env", f"DBUS_SYSTEM_BUS_ADDRESS={pair.lb1.bus_address}", str(BUILD / "src/ctl/holdfastctl"),
                               "reload"], capture_output=True, text=True)
        assert done.returncode == 6, (text[:40], done.stderr)
        assert pair.holders() == ["lb1"]
        assert pair.lb1.status()["LastReloadResult"] == "failed"
    world.configure(pair.text)
    pair.lb1.ctl("reload")
    assert pair.lb1.status()["LastReloadResult"] == "ok"


def test_a_reload_applies_a_priority_live(world):
    pair = Pair(world)
    world.configure(pair.text.replace("lb1: 250", "lb1: 100"))
    pair.lb1.ctl("reload")
    pair.wait_on("lb2", 2)


def test_a_reload_adds_and_removes_addresses_in_place(world):
    pair = Pair(world)
    world.configure(pair.text.replace("[10.77.0.100/24]", "[10.77.0.101/24]"))
    for host in pair.hosts:
        host.ctl("reload")
    wait_for(lambda: pair.lb1.has("10.77.0.101") and not pair.lb1.has("10.77.0.100"), 1, "the other address")
    assert pair.instance(pair.lb1)["State"] == "master"


@pytest.mark.parametrize("text,says", [("", "empty"), ("instances:\n  web: {vrid: 999}\n", "vrid"), (None, "can't be read")])
def test_a_bad_file_ends_the_start_with_78_and_says_where(world, text, says):
    host = world.add("lb1")
    if text is not None:
        world.configure(text)
    process = host.start_holdfastd()
    assert process.wait() == 78
    assert "holdfast.yaml" in host.log("holdfastd") and says in host.log("holdfastd")


def test_without_privileges_one_line_names_what_is_missing(world):
    host = world.add("lb1")
    world.configure("instances:\n  web: {interface: eth0, vrid: 1, addresses: [10.77.0.100]}\n")
    process = host.spawn("holdfastd", "setpriv", "--bounding-set=-all", "--inh-caps=-all", "--", BUILD / "src/daemon/holdfastd",
                         "--config", world.directory / "holdfast.yaml", "--runtime-dir", host.directory / "run")
    assert process.wait() == 77
    assert host.log("holdfastd").count("\n") == 1 and "CAP_NET_ADMIN" in host.log("holdfastd")


def test_without_a_bus_everything_else_works(world):
    pair = Pair(world, bus=False)
    assert pair.holders() == ["lb1"]
    pair.lb1.holdfastd.kill(signal.SIGTERM)
    pair.wait_on("lb2", 2)


def test_a_second_daemon_in_the_same_directory_is_refused(world):
    pair = Pair(world)
    first = pair.lb1.holdfastd
    second = pair.lb1.start_holdfastd()
    assert second.wait() == 69 and "runs already" in pair.lb1.log("holdfastd")
    assert first.alive() and pair.holders() == ["lb1"]
    first.end()


# ---- hostile packets ---------------------------------------------------------------------------------------------------------

def test_mutated_packets_change_nothing_and_fill_no_log(world):
    pair = Pair(world)
    attacker = world.add("attacker")
    before = pair.instance(pair.lb1)["StateTimestampMonotonic"]
    program = """
import random, socket, struct, sys
random.seed(7)
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('10.77.0.3'))
good = bytes([0x31, 51, 254, 1, 0, 10, 0, 0, 10, 77, 0, 100])
for i in range(20000):
    p = bytearray(good)
    for _ in range(random.randint(1, 4)):
        p[random.randrange(len(p))] = random.randrange(256)
    if random.random() < .3: p = p[:random.randrange(len(p))]
    if p[6:8] == b'\\0\\0': p[6] = 1
    s.sendto(bytes(p), ('224.0.0.18', 0))
"""
    attacker.run("python3", "-c", program)
    rejected = lambda: sum(n for name, n in pair.instance(pair.lb1)["Counters"].items() if name.startswith("rejected_"))
    wait_for(lambda: rejected() > 1000, 3, "the counters, which are published behind what they count")
    after = pair.instance(pair.lb1)
    assert (after["State"], after["StateTimestampMonotonic"]) == ("master", before)
    assert len(pair.lb1.log("holdfastd").splitlines()) < 25


def test_a_packet_that_came_through_a_router_is_named(world):
    pair = Pair(world)
    attacker = world.add("attacker")
    attacker.run("python3", "-c", """
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 64)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('10.77.0.3'))
s.sendto(bytes([0x31, 51, 254, 1, 0, 10, 0, 0, 10, 77, 0, 100]), ('224.0.0.18', 0))
""")
    wait_for(lambda: "its TTL is not 255" in pair.lb1.log("holdfastd"), 1, "the log line")
    assert pair.holders() == ["lb1"]


def test_a_second_holder_outside_vrrp_is_named(world):
    pair = Pair(world)
    stranger = world.add("stranger")
    time.sleep(1)  # longer than a contest of masters takes
    stranger.run("/usr/bin/python3", "-c", f"""
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
mac, ip = s.getsockname()[4], socket.inet_aton("{pair.vip}")
s.send(b"\\xff" * 6 + mac + bytes([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]) + mac + ip + bytes(6) + ip)
""")
    warning = lambda: [w["Code"] for w in pair.instance(pair.lb1)["Warnings"]]
    wait_for(lambda: warning() == ["duplicate_address"], 3, "the warning")
    assert "holds the address outside VRRP" in pair.lb1.log("holdfastd")
    assert pair.holders() == ["lb1"]


def test_a_peer_of_another_version_is_named_and_not_silent(world):
    pair = Pair(world, start=False)
    pair.lb1.start_holdfastd()
    pair.wait_on("lb1", 4)
    world.configure(pair.text.replace("advert_interval: 100ms", "advert_interval: 1s\n    version: 2"))
    pair.lb2.start_holdfastd()
    warning = lambda: [w["Code"] for w in pair.instance(pair.lb1)["Warnings"]]
    wait_for(lambda: warning() == ["peer_differs"], 8, "the warning")
    assert "another VRRP version" in pair.instance(pair.lb1)["Warnings"][0]["Text"]


def test_a_journal_that_hangs_holds_nothing_up(world):
    """journald waits for its disk and reads no more: commands are answered, and adverts go on."""
    world.configure("instances:\n  web: {interface: eth0, vrid: 51, advert_interval: 100ms, addresses: [10.77.0.100/24]}\n")
    host = world.add("lb1")
    host.start_bus()
    folder = host.directory / "journal"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(folder / "socket"))
        # /run is the test's own in here: what stands there is the journal that hangs.
        in_its_own_run = ('mount -t tmpfs run /run && mkdir -p /run/systemd/journal && mount --bind "$0" /run/systemd/journal && exec "$@"')
        spawn = host.spawn
        host.spawn = lambda name, *command: spawn(name, "sh", "-c", in_its_own_run, folder, *command, environment={"HOLDFAST_JOURNAL": "1"})
        host.start_holdfastd()
        wait_for(lambda: host.status() and host.has("10.77.0.100"), 10, "mastership")
        assert journal.recv(1 << 16, socket.MSG_DONTWAIT | socket.MSG_PEEK), "nothing went to the journal"
        for _ in range(1000):  # far more than a queue of datagrams takes
            host.holdfastd.kill(signal.SIGHUP)
            time.sleep(0.002)
        assert host.status()["Instances"][0]["State"] == "master"
        host.ctl("reload")
