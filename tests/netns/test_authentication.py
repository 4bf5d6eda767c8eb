"""Signed adverts between real daemons: what is on the wire, roll-out and rotation under way, forgeries and recordings."""

from __future__ import annotations

import hashlib
import hmac
import signal
import struct
import time

import pytest
from conftest import Pair
from world import wait_for

SECRETS = {1: bytes(range(32)), 2: bytes(range(100, 164))}
TRAILER = 28
CAPTURE = """
import socket, sys, time
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
raw.bind(("eth0", 0))
raw.settimeout(0.1)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    try:
        frame = raw.recv(4096)
    except TimeoutError:
        continue
    print(frame.hex(), flush=True)
"""
REPLAY = """
import socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
raw.bind(("eth0", 0))
for line in open(sys.argv[1]):
    raw.send(bytes.fromhex(line))
"""


def authentication(world, ids, active: int, **more) -> str:
    """Keys from files that their owner alone can read."""
    entries = []
    for key in ids:
        path = world.directory / f"key{key}"
        path.write_text("hex:" + SECRETS[key].hex() + "\n")
        path.chmod(0o600)
        entries.append(f"{key}: {{file: {path}}}")
    words = "".join(f", {word}: {value}" for word, value in more.items())
    return f"    authentication: {{type: hmac, keys: {{{', '.join(entries)}}}, active_key: {active}{words}}}\n"


def configure(pair: Pair, authentication_text: str):
    pair.world.configure(pair.plain + authentication_text)


def reload(host):
    text = "configuration "
    seen = host.log("holdfastd").count(text)
    host.holdfastd.kill(signal.SIGHUP)
    wait_for(lambda: host.log("holdfastd").count(text) > seen, 5, f"the reload of {host.name}")


def make(world, vip: str = "10.77.0.100", prefix: str = "/24", text: str = "", version: int = 3) -> Pair:
    pair = Pair(world, vip, interval="1s" if version == 2 else "100ms", prefix=prefix, start=False,
                instance_extra=f"    version: {version}\n")
    pair.plain = pair.text
    configure(pair, text)
    pair.start()
    return pair


def capture(host, seconds: float) -> list[bytes]:
    frames = host.run("/usr/bin/python3", "-c", CAPTURE, str(seconds))
    return [bytes.fromhex(line) for line in frames.split()]


def adverts(frames: list[bytes], family: int) -> list[tuple[bytes, bytes]]:
    """(source address, VRRP message with its trailer) of every advert among them."""
    result = []
    for frame in frames:
        packet = frame[14:]
        if family == 4 and frame[12:14] == b"\x08\x00" and packet[9] == 112:
            length = struct.unpack(">H", packet[2:4])[0]
            result.append((packet[12:16], packet[20:length]))
        if family == 6 and frame[12:14] == b"\x86\xdd" and packet[6] == 112:
            length = struct.unpack(">H", packet[4:6])[0]
            result.append((packet[8:24], packet[40:40 + length]))
    return result


def check(family: int, source: bytes, message: bytes) -> tuple[int, float]:
    """Key id and time of a trailer, if its digest is right: the specification once more, in other words."""
    body, trailer = message[:-TRAILER], message[-TRAILER:]
    kind, key, reserved, seconds, fraction, _counter = struct.unpack(">BBHIHH", trailer[:12])
    assert (kind, reserved) == (1, 0)
    header = bytes([family, body[0] >> 4, body[1], 0]) + source.ljust(16, b"\0")
    covered = header + body[:6] + b"\0\0" + body[8:] + trailer[:12] + bytes(16)
    assert hmac.new(SECRETS[key], covered, hashlib.sha256).digest()[:16] == trailer[12:]
    return key, seconds + fraction / 65536


def with_priority(frame: bytes, priority: int) -> bytes:
    """The frame of an IPv4 advert with another priority and the checksum that goes with it (RFC 1624)."""
    at = 14 + 20
    old, checksum = struct.unpack(">H", frame[at + 2:at + 4])[0], struct.unpack(">H", frame[at + 6:at + 8])[0]
    new = priority << 8 | old & 0xff
    total = (~checksum & 0xffff) + (~old & 0xffff) + new
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return frame[:at + 2] + struct.pack(">H", new) + frame[at + 4:at + 6] + struct.pack(">H", ~total & 0xffff) + frame[at + 8:]


def transitions(host) -> list[str]:
    return [line for line in host.log("holdfastd").splitlines() if " -> " in line]


@pytest.mark.parametrize("family,version,vip,prefix", [(4, 3, "10.77.0.100", "/24"), (4, 2, "10.77.0.100", "/24"),
                                                       (6, 3, "fd77::100", "/64")])
def test_what_is_on_the_wire_is_what_the_draft_says(world, family, version, vip, prefix):
    pair = make(world, vip, prefix, authentication(world, [1], 1), version)
    seen = adverts(capture(pair.lb2, 3 * pair.seconds + 0.3), family)
    assert len(seen) >= 2
    times = []
    for source, message in seen:
        key, moment = check(family, source, message)
        assert key == 1
        times.append(moment)
        assert abs(moment - time.time()) < 10
    assert times == sorted(set(times))
    pair.lb1.holdfastd.kill(signal.SIGTERM)
    pair.wait_on("lb2", 4 * pair.seconds + 3)
    assert not [line for host in pair.hosts for line in host.log("holdfastd").splitlines() if "dropped a VRRP packet" in line]


def test_roll_out_and_rotation_move_nothing(world):
    pair = make(world)
    before = [transitions(host) for host in pair.hosts]
    for keys, active, more in [([1], 1, {"mode": "receive-only"}), ([1], 1, {"mode": "permissive"}), ([1], 1, {}),
                               ([1, 2], 1, {}), ([1, 2], 2, {}), ([2], 2, {})]:
        for host in reversed(pair.hosts):  # one after the other: in between they differ
            configure(pair, authentication(world, keys, active, **more))
            reload(host)
            time.sleep(0.4)
    assert [transitions(host) for host in pair.hosts] == before
    assert pair.holders() == ["lb1"]
    seen = adverts(capture(pair.lb2, 0.5), 4)
    assert seen and {check(4, *advert)[0] for advert in seen} == {2}


def test_a_bad_key_set_is_refused_and_the_old_one_stays(world):
    pair = make(world, text=authentication(world, [1], 1))
    (world.directory / "key2").write_text("hex:" + SECRETS[2].hex())
    (world.directory / "key2").chmod(0o644)
    for bad in (f"    authentication: {{type: hmac, keys: {{1: {{file: {world.directory}/key1}}}}, active_key: 9}}\n",
                f"    authentication: {{type: hmac, keys: {{2: {{file: {world.directory}/key2}}}}}}\n"):
        configure(pair, bad)
        rejected = pair.lb1.log("holdfastd").count("configuration rejected")
        reload(pair.lb1)
        assert pair.lb1.log("holdfastd").count("configuration rejected") == rejected + 1
    seen = adverts(capture(pair.lb2, 0.4), 4)
    assert seen and all(check(4, *advert)[0] == 1 for advert in seen)
    assert pair.holders() == ["lb1"]


def test_neither_forgery_nor_recording_moves_anything(world):
    pair = make(world, text=authentication(world, [1], 1))
    attacker = world.add("attacker")
    frames = [frame for frame in capture(attacker, 0.6) if adverts([frame], 4)]
    assert len(frames) >= 4
    recording = attacker.directory / "frames"
    forged = [with_priority(frame, priority) for frame in frames for priority in (255, 0)]
    recording.write_text("\n".join(frame.hex() for frame in frames * 3 + forged))
    before = [transitions(host) for host in pair.hosts]
    attacker.run("/usr/bin/python3", "-c", REPLAY, str(recording))
    counters = wait_for(lambda: (c := pair.instance(pair.lb2)["Counters"])["rejected_signature_replay"] >= len(frames) * 3
                        and c["rejected_signature_wrong"] >= len(forged) and c, 5, "the replays to be counted")
    assert counters["rejected_signature_wrong"] == len(forged)
    assert [transitions(host) for host in pair.hosts] == before

    # The master is killed for good; its recording keeps nobody from taking over, now or after a restart of the receiver.
    pair.lb1.holdfastd.kill()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        attacker.run("/usr/bin/python3", "-c", REPLAY, str(recording))
    assert pair.lb2.has(pair.vip)


def test_a_killed_master_goes_on_with_its_own_numbers(world):
    pair = make(world, text="    authentication: {type: ah, password: s3cret}\n", version=2)
    time.sleep(2.5)  # a few numbers are used
    before = transitions(pair.lb2)
    pair.lb1.holdfastd.kill()
    pair.lb1.holdfastd.wait()
    pair.lb1.start_holdfastd()
    wait_for(lambda: (s := pair.lb1.status()) and s["Instances"][0]["State"] == "master", 3, "lb1 to adopt")
    time.sleep(3.5)
    assert transitions(pair.lb2) == before
    assert not [line for line in pair.lb2.log("holdfastd").splitlines() if "dropped a VRRP packet" in line]


def test_a_restarted_daemon_knows_what_it_heard(world):
    pair = make(world, text=authentication(world, [1], 1, anti_replay="monotonic"))
    frames = [frame for frame in capture(pair.lb2, 1.5) if adverts([frame], 4)]
    pair.lb1.holdfastd.kill(signal.SIGTERM)
    pair.wait_on("lb2", 3)
    pair.lb2.holdfastd.kill()
    pair.lb2.holdfastd.wait()
    pair.lb2.start_holdfastd()
    attacker = world.add("attacker")
    recording = attacker.directory / "frames"
    recording.write_text("\n".join(frame.hex() for frame in frames[:-11]))  # the record is at most a second old
    assert len(frames) > 12
    pair.wait_on("lb2", 3)
    attacker.run("/usr/bin/python3", "-c", REPLAY, str(recording))
    time.sleep(0.5)
    assert pair.lb2.has(pair.vip)
    counters = wait_for(lambda: (c := pair.instance(pair.lb2)["Counters"])["rejected_signature_replay"] >= len(frames) - 11
                        and c, 5, "the replays to be counted")
    assert counters["became_master"] == 1
