"""Two hosts that are both directors and both real servers, by direct routing: what tutorials give up on. A thousand connections
for each address, none of which hangs, also through failover and failback; and the form without a guard, some of which do."""

from __future__ import annotations

import collections
import os
import signal

import pytest
from flagship import AT_HOME, GUARDED, ONE, SHOP, TWO, WEB, Flagship
from world import wait_for

pytestmark = pytest.mark.kernel("ip_vs", "ip_vs_rr", "nf_tables")

THOUSAND = int(os.environ.get("HOLDFAST_CONNECTIONS", "1000"))


def all_served(seen: dict[str, collections.Counter], connections: int):
    """By both: how evenly is the scheduler's, and a slow machine's checks may take one out for a moment."""
    for address, outcomes in seen.items():
        assert sum(outcomes.values()) >= connections and set(outcomes) == {"lb1", "lb2"}, f"{address}: {outcomes}"


def few_hang(seen: dict[str, collections.Counter]):
    """The table of a dead daemon remembers its connections for two minutes, and no one else can make it forget: who uses such a
    port again, and is sent there, runs in circles (decision 0021)."""
    for address, outcomes in seen.items():
        assert outcomes["lb1"] + outcomes["lb2"] >= 0.95 * sum(outcomes.values()), f"{address}: {outcomes}"


def none_hangs(seen: dict[str, collections.Counter], planned: bool = True):
    """While an address moves, one that is just being served may be cut off (its other end is another host's); none hangs, and
    none runs in circles (`unreachable`: its time to live was exceeded)."""
    for address, outcomes in seen.items():
        allowed = {"lb1", "lb2", "reset"} if planned else {"lb1", "lb2", "reset", "refused"}
        assert set(outcomes) <= allowed and outcomes["lb1"] + outcomes["lb2"] > 0, f"{address}: {outcomes}"
        assert not planned or outcomes["reset"] <= 0.01 * sum(outcomes.values()), f"{address}: {outcomes}"


def play(lab: Flagship, title: str, guarded: bool = False):
    lb1 = lab.hosts["lb1"]
    everything = {address: "lb2" for address in lab.home}
    try:
        lab.start()
        all_served(lab.ask("at home", THOUSAND), THOUSAND)

        def fail_over():
            lb1.ctl("failover", "web", "--hold", "1s")
            lab.settled(everything, guarded)
            wait_for(lambda: lab.holders(WEB) == ["lb1"], 20, "web to come back by itself", every=0.05)
            lab.settled(lab.home, guarded)
        none_hangs(lab.ask_during("failover of web, and failback", fail_over))

        def stop():
            lb1.holdfastd.kill(signal.SIGTERM)
            assert lb1.holdfastd.wait(20) == 0
            lab.settled(everything)
        none_hangs(lab.ask_during("lb1's daemon is stopped", stop))
        all_served(lab.ask("lb1 is only a real server", THOUSAND // 4), THOUSAND // 4)

        def come_back():
            lb1.start_holdfastd()
            lab.settled(lab.home, guarded)
        none_hangs(lab.ask_during("it is started again", come_back))
        all_served(lab.ask("at home again", THOUSAND // 4), THOUSAND // 4)

        def die_and_come_back(): # as systemd starts it again
            lb1.holdfastd.kill()
            lb1.holdfastd.wait()
            lb1.start_holdfastd()
            wait_for(lb1.status, 10, "it to be back")
            lab.settled(lab.home, guarded)
        none_hangs(lab.ask_during("lb1's daemon is killed, and is back", die_and_come_back))
        all_served(lab.ask("after that", THOUSAND // 4), THOUSAND // 4)
        if guarded:
            def die():
                lb1.holdfastd.kill()
                lab.settled(everything, guarded)
            few_hang(lab.ask_during("lb1's daemon is killed for good", die))
    finally:
        lab.print(title)


def test_one_address(world):
    play(Flagship(world, ONE, {WEB: "lb1"}), "one address, its table on the master (while_master)")


def test_two_addresses_each_with_its_master_on_the_other_host(world):
    play(Flagship(world, TWO, AT_HOME), "two addresses, each with its table on its master (while_master)")


def test_one_virtual_server_of_two_addresses_under_guard(world):
    play(Flagship(world, GUARDED, AT_HOME), "two addresses of one virtual server, each directed by its master (guard)", guarded=True)


def test_the_form_that_is_refused_does_hang(world):
    """As keepalived programs it: the same table on both hosts. Or the tests above would show nothing."""
    lab = Flagship(world, ONE, {WEB: "lb1"})
    try:
        lab.start()
        for host in lab.hosts.values():
            host.holdfastd.kill(signal.SIGTERM)
            assert host.holdfastd.wait(20) == 0  # the role stays: the address on lo, the silence
        lab.hosts["lb1"].ip("address", "add", f"{WEB}/24", "dev", "eth0")
        lab.hosts["lb1"].run("arping", "-U", "-c", "2", "-I", "eth0", WEB, check=False)
        for host in lab.hosts.values():
            host.run("ipvsadm", "-A", "-t", f"{WEB}:80", "-s", "rr")
            for real in ("10.77.0.1", "10.77.0.2"):
                host.run("ipvsadm", "-a", "-t", f"{WEB}:80", "-r", f"{real}:80", "-g")
        seen = lab.ask("by hand, in both tables", 64)[WEB]
        assert seen["hanging"] + seen["unreachable"] >= 8, f"a quarter of them runs in circles: {seen}"
    finally:
        lab.print("what the others avoid")
