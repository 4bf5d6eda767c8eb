"""Who is told of real servers and quorums: mail, a FIFO, programs. The servers are an nginx's, so no ip_vs is needed."""

from __future__ import annotations

import os
import signal
import textwrap

import pytest
from test_mail import SERVER, Mailed
from world import wait_for


class Told(Mailed):
    """lb1 with one real server, a listener on port 8099 of itself, and a mail server."""

    def __init__(self, world, notify: str, of_real: str = "", more: str = ""):
        self.world, self.port, self.lb1 = world, 2525, world.add("lb1")
        self.lb1.start_bus()
        world.configure(f"instances: {{}}\nmail: {{server: 'smtp://10.77.0.1:2525', from: holdfast@example.org, to: [admin@example.org]}}\n"
                        f"virtual_servers:\n  web:\n    kind: nginx\n    nginx: {{pid_file: {self.lb1.directory}/no.pid}}\n"
                        f"    check: {{tcp: {{}}, interval: 100ms, timeout: 50ms, retry: 0}}\n    notify: {notify}\n{more}"
                        f"    real_servers: {{s1: {{address: '10.77.0.1:8099'{of_real}}}}}\n")
        (world.directory / "server.py").write_text(textwrap.dedent(SERVER))

    def listen(self):
        listener = self.lb1.spawn("listener", "/usr/bin/python3", "-c",
                                  "import socket; s = socket.create_server(('10.77.0.1', 8099))\nwhile True: s.accept()[0].close()")
        wait_for(lambda: ":8099 " in self.lb1.run("ss", "-Hltn"), 5, "the real server")
        return listener


def test_mails_tell_of_the_server_and_the_quorum_and_of_the_end_with_omega(world):
    lab = Told(world, "{mail: true}", more="    omega: true\n")
    lab.serve()
    listener = lab.listen()
    lab.lb1.start_holdfastd()
    expected = ["[lb1] virtual server web has reached its quorum"]
    wait_for(lambda: lab.subjects() == expected, 5, "the first mail")
    listener.end()
    expected += ["[lb1] real server web/s1 is down", "[lb1] virtual server web has lost its quorum"]
    wait_for(lambda: lab.subjects() == expected, 5, "the loss")
    assert "why: cannot connect: Connection refused" in lab.mails()[1]["text"]
    lab.listen()
    expected += ["[lb1] real server web/s1 is up", "[lb1] virtual server web has reached its quorum"]
    wait_for(lambda: lab.subjects() == expected, 5, "its return")
    lab.lb1.holdfastd.kill(signal.SIGTERM)
    assert lab.lb1.holdfastd.wait(10) == 0
    assert lab.subjects() == [*expected, "[lb1] real server web/s1 is down", "[lb1] virtual server web has lost its quorum"]


def test_a_server_of_its_own_way_tells_a_fifo_and_no_mail(world):
    fifo = world.directory / "edges"
    lab = Told(world, "{mail: true}", of_real=f", notify: {{fifo: {fifo}}}")
    lab.serve()
    listener = lab.listen()
    lab.lb1.start_holdfastd()
    wait_for(lambda: lab.subjects() == ["[lb1] virtual server web has reached its quorum"], 5, "the first mail")
    listener.end()
    wait_for(fifo.exists, 5, "the FIFO")
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    text = bytearray()

    def lines() -> list[str]:
        try:
            text.extend(os.read(reader, 4096))
        except BlockingIOError:
            pass
        return text.decode().splitlines()
    wait_for(lambda: lines() == ['REAL_SERVER "web/s1" DOWN 0'], 5, "the line")
    wait_for(lambda: lab.subjects()[1:] == ["[lb1] virtual server web has lost its quorum"], 5, "the mail of the quorum")
    os.close(reader)


@pytest.mark.skipif(os.geteuid() != 0, reason="another user needs root")
def test_programs_run_as_the_user_and_end_in_their_time(world):
    log = world.directory / "told"
    script = world.directory / "script"
    script.write_text(f"#!/bin/sh\necho $(id -un) $HOLDFAST_TYPE $HOLDFAST_NAME $HOLDFAST_STATE >> {log}\nexec sleep 60\n")
    script.chmod(0o755)
    log.touch()
    log.chmod(0o666)
    lab = Told(world, "{user: nobody, timeout: 200ms}", of_real=f", notify_down: [{script}]")
    listener = lab.listen()
    lab.lb1.start_holdfastd()
    wait_for(lambda: "up" in lab.lb1.ctl("ipvs", check=False), 5, "the server")
    listener.end()
    wait_for(lambda: log.read_text() == "nobody REAL_SERVER web/s1 DOWN\n", 5, "the program")
    wait_for(lambda: "notify_down" in lab.lb1.log("holdfastd") or "down script" in lab.lb1.log("holdfastd"), 5, "its end")
