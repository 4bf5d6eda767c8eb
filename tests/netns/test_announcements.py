"""What is announced, how often and how fast, counted on the wire with the kernel's own time stamps."""

from __future__ import annotations

import pytest
from conftest import Pair
from world import wait_for

# Each announcement that leaves eth0 of this namespace: "seconds address". An ARP whose sender is its target, or an NA.
SNIFFER = """
import ipaddress, socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
s.bind(("eth0", 0))
print("ready", flush=True)
while True:
    frame, control, _, address = s.recvmsg(2048, 64)
    if address[2] != 4:
        continue
    kind, said = frame[12:14].hex(), None
    if kind == "0806" and frame[28:32] == frame[38:42]:
        said = frame[28:32]
    if kind == "86dd" and frame[20] == 58 and frame[54] == 136:
        said = frame[62:78]
    if said:
        seconds, nanoseconds = struct.unpack("qq", control[0][2])
        print(f"{seconds + nanoseconds / 1e9:.6f} {ipaddress.ip_address(said)}", flush=True)
"""


class Ear:
    def __init__(self, host):
        self.host = host
        host.spawn("ear", "/usr/bin/python3", "-c", SNIFFER)
        wait_for(lambda: "ready" in host.log("ear"), 5, "the sniffer")

    def heard(self) -> list[tuple[float, str]]:
        lines = self.host.log("ear").splitlines()[1:]
        return [(float(line.split()[0]), line.split()[1]) for line in lines if len(line.split()) == 2]

    def wait(self, count: int, seconds: float) -> list[tuple[float, str]]:
        wait_for(lambda: len(self.heard()) >= count, seconds, f"{count} announcements, not {self.heard()}", every=0.02)
        return self.heard()


def gaps(heard) -> list[float]:
    return [later[0] - earlier[0] for earlier, later in zip(heard, heard[1:])]


@pytest.mark.parametrize("vip,prefix,others", [("10.77.0.100", "/24", ["10.77.0.101", "10.77.0.102"]),
                                               ("fd77::100", "/64", ["fd77::101", "fd77::102"])])
def test_a_second_burst_comes_one_by_one(world, vip, prefix, others):
    pair = Pair(world, vip, prefix=prefix, start=False, instance_extra=(
        f"    excluded_addresses: [{', '.join(other + prefix for other in others)}]\n"
        "    announce_delay: 1500ms\n    announce_repeat: 3\n    announce_interval: 20ms\n    announce_refresh: 0s\n"))
    ear = Ear(pair.lb1)
    pair.start()
    # At 0, 10, 100 and 1,000 ms, the excluded ones when they come and at the end, then three times all of them.
    heard = ear.wait(4 + 2 * 2 + 3 * 3, 8)
    first, burst = heard[:-9], heard[-9:]
    counted = {address: [said for _, said in first].count(address) for address in [vip, *others]}
    assert counted == {vip: 4, others[0]: 2, others[1]: 2}
    assert {address: [said for _, said in burst].count(address) for address in counted} == dict.fromkeys(counted, 3)
    assert 1.4 < burst[0][0] - heard[0][0] < 2
    # A machine that is late sends one of them closer to the next, but never all.
    assert burst[-1][0] - burst[0][0] > 0.14, gaps(heard)


def test_a_master_that_hears_a_lower_one_announces_again_later(world):
    pair = Pair(world, start=False, instance_extra=(
        "    announce_refresh: 0s\n    announce_lower_delay: 1s\n    announce_lower_repeat: 2\n"))
    ear, other = Ear(pair.lb1), Ear(pair.lb2)
    pair.start()
    ear.wait(4, 5)  # the takeover is over
    world.isolate(["lb1", "lb2"], True)
    other.wait(4, 8)  # lb2 took over too, and an announcement of its own would be answered as a rival's
    before = len(ear.heard())
    world.isolate(["lb1", "lb2"], False)
    pair.wait_on("lb1", 5)
    heard = ear.wait(before + 4, 6)[before:]
    after = [moment - heard[0][0] for moment, _ in heard]
    assert sum(each < 0.5 for each in after) == 4, "twice at once, and 10 and 100 ms later"
    wait_for(lambda: sum(0.95 < moment - heard[0][0] < 1.6 for moment, _ in ear.heard()) >= 4, 4, "the second burst")


def test_interfaces_of_a_group_announce_as_one(world):
    world.add_bridge("br1")
    lb1 = world.add("lb1")
    lb1.add_link("eth1", "br1", "10.78.0.1/24")
    # Both instances announce on eth0 and eth1 together; the ear is on eth0, so every second repetition is heard there.
    many = [f"10.77.1.{i}" for i in range(1, 21)]
    inside = [f"10.78.1.{i}" for i in range(1, 21)]
    world.configure(
        "defaults: {advert_interval: 100ms, announce_refresh: 0s}\n"
        "instances:\n"
        f"  out: {{interface: eth0, vrid: 51, priority: 250, addresses: [{', '.join(many)}]}}\n"
        f"  in: {{interface: eth1, vrid: 52, priority: 250, addresses: [{', '.join(inside)}]}}\n"
        "announce_groups:\n  switch: {interfaces: [eth0, eth1], interval: 10ms}\n")
    lb1.start_bus()
    ear = Ear(lb1)
    lb1.start_holdfastd()
    heard = ear.wait(40, 10)
    first = heard[:20]
    assert sorted(said for _, said in first) == sorted(many), "every address once before any of them again"
    assert heard[39][0] - heard[20][0] > 0.3, gaps(heard)  # 20 ms from one to the next: eth1 has its turn between them
