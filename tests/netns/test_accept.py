"""`accept: off`: the addresses answer ARP and ND but take no packet, by one packet filter table of our own that goes with us."""

from __future__ import annotations

import signal

import pytest
from conftest import Pair
from world import BUILD, wait_for

VIPS = {4: ("10.77.0.100", "/24"), 6: ("fd77::100", "/64")}


def pair_of(world, family: int = 4, **more):
    vip, prefix = VIPS[family]
    return Pair(world, vip, prefix=prefix, instance_extra="    accept: off\n", **more)


def answers(client, address: str) -> bool:
    return " 0% packet loss" in client.run("ping", "-n", "-c", "1", "-W", "1", address, check=False)


def table(host) -> str:
    return host.run("nft", "list", "ruleset")


def filtered(host, vip: str) -> bool:
    return vip in table(host)


@pytest.mark.parametrize("family", [4, 6])
def test_the_address_is_found_but_takes_no_packet(world, family):
    pair = pair_of(world, family)
    client = world.add("client")
    wait_for(lambda: filtered(pair.lb1, pair.vip), 2, "the table")
    assert not answers(client, pair.vip)
    assert "lladdr" in client.ip("neighbor", "show", "to", pair.vip)
    own = "10.77.0.1" if family == 4 else "fd77::1"
    assert answers(client, own)
    # ND goes on, also when it is asked of the address itself (a neighbor that is checked once more).
    client.ip("neighbor", "flush", "to", pair.vip)
    assert not answers(client, pair.vip) and "lladdr" in client.ip("neighbor", "show", "to", pair.vip)


def test_a_reload_changes_the_table_and_leaves_foreign_ones_alone(world):
    pair = pair_of(world)
    for host in pair.hosts:
        host.run("nft", "add", "table", "inet", "mine")
    client = world.add("client")
    wait_for(lambda: filtered(pair.lb1, pair.vip), 2, "the table")
    world.configure(pair.text.replace("accept: off", "accept: on"))
    for host in pair.hosts:
        host.ctl("reload")
    wait_for(lambda: "holdfast" not in table(pair.lb1), 2, "no table of ours")
    assert answers(client, pair.vip)
    world.configure(pair.text.replace("[10.77.0.100/24]", "[10.77.0.101/24]"))
    for host in pair.hosts:
        host.ctl("reload")
    wait_for(lambda: filtered(pair.lb1, "10.77.0.101") and not filtered(pair.lb1, "10.77.0.100"), 2, "the other address")
    pair.lb1.holdfastd.kill(signal.SIGTERM)
    assert pair.lb1.holdfastd.wait() == 0
    assert table(pair.lb1).strip() == "table inet mine {\n}"


def test_what_a_dead_daemon_left_is_taken_over_or_removed(world):
    pair = pair_of(world)
    wait_for(lambda: filtered(pair.lb1, pair.vip), 2, "the table")
    for text in (pair.text, "instances: {}\n"):
        pair.lb1.holdfastd.kill()
        pair.lb1.holdfastd.wait()
        assert filtered(pair.lb1, pair.vip)
        world.configure(text)
        pair.lb1.start_holdfastd()
        wait_for(lambda: "Instances" in pair.lb1.status(), 3, "the daemon")
    wait_for(lambda: table(pair.lb1) == "", 3, "no table")


def test_an_owner_always_accepts(world):
    host = world.add("lb1")
    client = world.add("client")
    world.configure("instances:\n  web: {interface: eth0, vrid: 51, priority: 255, accept: off, addresses: [10.77.0.1/24]}\n")
    host.start_bus()
    host.start_holdfastd()
    wait_for(lambda: host.status().get("Instances") and host.status()["Instances"][0]["State"] == "master", 5, "the owner")
    assert table(host) == "" and answers(client, "10.77.0.1")


def test_without_nft_it_is_named_with_its_cure(world):
    pair = pair_of(world, start=False)
    pair.lb2.start_holdfastd()
    pair.lb1.spawn("holdfastd", "unshare", "-m", "sh", "-c", 'mount --bind /dev/null "$(readlink -f /usr/sbin/nft)" && exec "$@"', "sh",
                   BUILD / "src/daemon/holdfastd", "--config", world.directory / "holdfast.yaml", "--runtime-dir",
                   pair.lb1.directory / "run", "--state-dir", pair.lb1.directory / "lib", "--helper-dir",
                   world.directory / "libexec", "--node-name", "lb1")
    pair.wait_on("lb1", 5)
    wait_for(lambda: [w["Code"] for w in pair.instance(pair.lb1)["Warnings"]] == ["accept"], 3, "the warning")
    assert "install nftables" in pair.instance(pair.lb1)["Warnings"][0]["Text"]
    assert pair.lb1.log("holdfastd").count("`accept: off` is not in force") == 1
    pair.lb1.holdfastd.kill(signal.SIGTERM)
    assert pair.lb1.holdfastd.wait() == 0  # and a stop does not wait for it


def test_an_unprivileged_daemon_with_ambient_capabilities_hands_one_to_nft(world):
    pair = pair_of(world, start=False)
    pair.lb1.run("chown", "-R", "65534", str(pair.lb1.directory))
    pair.lb1.spawn("holdfastd", "setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps=+net_admin,+net_raw",
                   "--ambient-caps=+net_admin,+net_raw", "--bounding-set=-all,+net_admin,+net_raw", "--no-new-privs", "--",
                   BUILD / "src/daemon/holdfastd", "--config", world.directory / "holdfast.yaml", "--runtime-dir",
                   pair.lb1.directory / "run", "--state-dir", pair.lb1.directory / "lib", "--helper-dir",
                   world.directory / "libexec", "--node-name", "lb1")
    pair.wait_on("lb1", 5)
    wait_for(lambda: filtered(pair.lb1, pair.vip), 2, f"the table; {pair.lb1.log('holdfastd')}")
