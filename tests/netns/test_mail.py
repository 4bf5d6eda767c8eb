"""Mail about transitions, delivered to a real SMTP server: in order, again after failures, encrypted when it must be."""

from __future__ import annotations

import email
import signal
import subprocess
import textwrap

import pytest
from conftest import Pair
from world import wait_for

SERVER = """
import asyncio, json, ssl, sys
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

directory, port, tls, refusals = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "tls", int(sys.argv[4])

class Handler:
    left = refusals
    async def handle_DATA(self, server, session, envelope):
        if self.left > 0:
            self.left -= 1
            return "451 not now"
        with open(directory + "/mails", "a") as out:
            out.write(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos, "hello": session.host_name,
                                  "text": envelope.content.decode(), "tls": session.ssl is not None,
                                  "user": session.auth_data.decode() if session.auth_data else ""}) + "\\n")
        return "250 taken"

def authenticate(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"alerts", b"hush")
    return AuthResult(success=good, auth_data=data.login if good else None)

options = {}
if tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory + "/cert.pem", directory + "/key.pem")
    options = {"tls_context": context, "require_starttls": True, "authenticator": authenticate, "auth_required": True}

async def main():
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(Handler(), **options), "10.77.0.1", port)
    await server.serve_forever()
asyncio.run(main())
"""


class Mailed(Pair):
    """lb1 alone, whose mail goes to a server on itself."""

    def __init__(self, world, more: str = "", port: int = 2525, scheme: str = "smtp", notify: str = "{mail: true}"):
        self.port = port
        super().__init__(world, instance_extra=f"    notify: {notify}\n", start=False)
        world.configure(self.text + f"mail:\n  server: {scheme}://10.77.0.1:{port}\n  from: holdfast@example.org\n"
                                    f"  to: [admin@example.org, boss@example.org]\n{more}")
        (world.directory / "server.py").write_text(textwrap.dedent(SERVER))

    def serve(self, tls: bool = False, refusals: int = 0):
        server = self.lb1.spawn("smtp", "/usr/bin/python3", self.world.directory / "server.py", self.lb1.directory, str(self.port),
                                "tls" if tls else "plain", str(refusals))
        wait_for(lambda: f":{self.port} " in self.lb1.run("ss", "-Hltn"), 10, "the mail server")
        return server

    def mails(self) -> list[dict]:
        import json
        path = self.lb1.directory / "mails"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def subjects(self) -> list[str]:
        return [email.message_from_string(mail["text"])["Subject"] for mail in self.mails()]


def test_each_state_is_told_in_order_and_the_stop_as_well(world):
    pair = Mailed(world)
    pair.serve()
    pair.lb1.start_holdfastd()
    pair.wait_on("lb1")
    expected = ["[lb1] VRRP instance web is backup now", "[lb1] VRRP instance web is master now"]
    wait_for(lambda: pair.subjects() == expected, 5, "the mails")
    mail = pair.mails()[1]
    assert (mail["from"], mail["to"], mail["hello"]) == ("holdfast@example.org", ["admin@example.org", "boss@example.org"], "lb1")
    text = email.message_from_string(mail["text"])
    assert text["To"] == "admin@example.org, boss@example.org" and text["Auto-Submitted"] == "auto-generated"
    assert "address: 10.77.0.100/24" in text.get_payload() and "backup -> master" in text.get_payload()
    pair.lb1.holdfastd.kill(signal.SIGTERM)
    assert pair.lb1.holdfastd.wait() == 0
    assert pair.subjects() == [*expected, "[lb1] VRRP instance web stops"]


def test_mail_waits_for_a_server_that_is_away_and_nothing_waits_for_mail(world):
    pair = Mailed(world)
    pair.lb1.start_holdfastd()
    pair.wait_on("lb1", 3)
    wait_for(lambda: "has to wait" in pair.lb1.log("holdfastd"), 5, "the warning")
    assert "cannot connect" in pair.lb1.log("holdfastd")
    pair.serve(refusals=1)
    wait_for(lambda: len(pair.mails()) == 2, 30, "both mails, the first after a refusal")
    assert pair.subjects() == ["[lb1] VRRP instance web is backup now", "[lb1] VRRP instance web is master now"]


def certificate(directory, name: str):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=mail", "-addext", f"subjectAltName={name}", "-keyout", directory / "key.pem",
                    "-out", directory / "cert.pem"], check=True, capture_output=True)


@pytest.mark.parametrize("trusted", [True, False])
def test_a_login_is_given_only_to_a_server_that_proves_its_name(world, trusted):
    more = "  tls: required\n  login: {user: alerts, password: hush}\n"
    pair = Mailed(world, more + (f"  ca_file: {world.directory}/lb1/cert.pem\n" if trusted else ""))
    certificate(pair.lb1.directory, "IP:10.77.0.1")
    pair.serve(tls=True)
    pair.lb1.start_holdfastd()
    if trusted:
        wait_for(lambda: len(pair.mails()) == 2, 5, "the mails")
        assert all(mail["tls"] and mail["user"] == "alerts" for mail in pair.mails())
    else:
        wait_for(lambda: "has to wait" in pair.lb1.log("holdfastd"), 5, "the warning")
        assert pair.mails() == [] and "hush" not in pair.lb1.log("holdfastd")


def test_a_group_has_mail_of_its_own(world):
    pair = Mailed(world, notify="{fifo: /run/nobody-reads-this}")
    text = (world.directory / "holdfast.yaml").read_text()
    world.configure(text + "sync_groups: {edge: {instances: [web], notify: {mail: true}}}\n")
    pair.serve()
    pair.lb1.start_holdfastd()
    wait_for(lambda: pair.subjects() == ["[lb1] VRRP sync group edge is backup now", "[lb1] VRRP sync group edge is master now"], 5,
             "the mails of the group")
