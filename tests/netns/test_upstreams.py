"""Virtual servers that nginx balances: a real nginx in front of real servers, whose upstream block follows their health."""

from __future__ import annotations

import json
import os
import pathlib
import signal

from world import wait_for


class Proxied:
    """lb1 with holdfast and an nginx as a proxy (told by signal, as in a pod), real servers with nginx, a client."""

    def __init__(self, world, servers: int = 2, more: str = ""):
        self.world = world
        self.lb, self.client = world.add("lb1"), world.add("client")
        self.servers = {}
        for number in range(1, servers + 1):
            host = self.servers[f"s{number}"] = world.add(f"s{number}")
            host.start_nginx()
            host.real = host.addresses[0].split("/")[0]
        self.file = self.lb.directory / "lib/nginx/web.conf"
        self.configuration = self.lb.directory / "nginx.conf"
        self.pid_file = self.lb.directory / "nginx.pid"
        self.write_configuration()
        reals = ", ".join(f"{name}: {{address: '{host.real}:80'}}" for name, host in self.servers.items())
        self.text = (f"instances: {{}}\nvirtual_servers:\n  web:\n    kind: nginx\n    nginx: {{pid_file: {self.pid_file}}}\n"
                     "    check: {http: /, interval: 200ms, timeout: 100ms, retry: 1, retry_delay: 50ms}\n"
                     f"{more}    real_servers: {{{reals}}}\n")
        world.configure(self.text)
        self.lb.start_bus()

    def write_configuration(self, broken: str = ""):
        self.configuration.write_text(
            f"daemon off; worker_processes 1; pid {self.pid_file}; error_log stderr crit;\nevents {{ }}\n"
            f"http {{ access_log off; {self.lb._temporary_paths()}\n  include {self.file.parent}/*.conf;\n{broken}"
            "  server { listen 80; location / { proxy_pass http://web; } } }\n")

    def start_nginx(self):
        self.lb.spawn("nginx", "nginx", "-c", self.configuration, "-p", self.lb.directory, "-e", "stderr")
        wait_for(lambda: self.pid_file.exists() and self.workers(), 5, "the proxy")

    def start(self):
        """holdfast first: an nginx whose upstream is not there yet does not start."""
        self.lb.start_holdfastd()
        wait_for(self.file.exists, 5, "the upstream's file")
        self.start_nginx()
        wait_for(lambda: self.view().get("State") == "serving", 5, "verdicts")

    def workers(self) -> set[int]:
        master = int(self.pid_file.read_text() or 0)
        children = pathlib.Path(f"/proc/{master}/task/{master}/children")
        return set(map(int, children.read_text().split())) if children.exists() else set()

    def view(self) -> dict:
        text = self.lb.ctl("--json=short", "ipvs", check=False)
        return json.loads(text)[0] if text else {}

    def answers(self, count: int = 8) -> set[str]:
        return set(self.client.run("curl", "-s", "--max-time", "2", *[f"http://{self.lb.addresses[0].split('/')[0]}/"] * count).split())

    def block(self) -> list[str]:
        return [line.strip() for line in self.file.read_text().splitlines() if line.strip().startswith("server")]

    def line(self, name: str, rest: str = "") -> str:
        return f"server {self.servers[name].real}:80{rest}; # {name}"


def test_a_dead_server_leaves_the_upstream_and_comes_back(world):
    lab = Proxied(world)
    lab.start()
    assert lab.answers() == {"s1", "s2"}
    first = lab.workers()
    lab.servers["s1"].kill_nginx()
    wait_for(lambda: lab.block() == [lab.line("s1", " down"), lab.line("s2")], 5, "s1 down in the file")
    wait_for(lambda: not lab.workers() & first, 5, "new workers")
    assert lab.answers() == {"s2"}
    lab.servers["s1"].start_nginx()
    wait_for(lambda: lab.block() == [lab.line("s1"), lab.line("s2")], 5, "s1 in the file")
    wait_for(lambda: lab.answers() == {"s1", "s2"}, 5, "answers of both")
    shown = lab.lb.ctl("ipvs", "web")
    assert "nginx web.conf" in shown and "round_robin" in shown, shown


def test_people_drain_weigh_and_disable_as_in_the_kernel(world):
    lab = Proxied(world)
    lab.start()
    lab.lb.ctl("weight", "web/s1", "5")
    wait_for(lambda: lab.line("s1", " weight=5") in lab.block(), 3, "weight 5")
    lab.lb.ctl("disable", "web/s2")
    wait_for(lambda: lab.line("s2", " down") in lab.block(), 3, "s2 disabled")
    lab.lb.ctl("enable", "web/s2")
    wait_for(lambda: lab.line("s2") in lab.block(), 3, "s2 enabled")
    assert lab.lb.ctl("drain", "web/s2", "--wait").strip().splitlines()[-1] == "web/s2 has drained"
    assert lab.line("s2", " down") in lab.block()


def test_the_sorry_server_is_nginxs_backup(world):
    sorry = world.add("sorry")
    sorry.start_nginx()
    lab = Proxied(world, servers=1, more=f"    sorry_server: {sorry.addresses[0].split('/')[0]}:80\n")
    lab.start()
    assert lab.answers() == {"s1"}
    lab.servers["s1"].kill_nginx()
    wait_for(lambda: lab.line("s1", " down") in lab.block(), 5, "s1 down")
    wait_for(lambda: lab.answers() == {"sorry"}, 5, "the sorry server")
    assert lab.view()["State"] == "sorry"


def test_what_nginx_refuses_is_taken_back_and_tried_again(world):
    lab = Proxied(world)
    lab.start()
    before = lab.file.read_text()
    lab.write_configuration(broken="  nonsense;\n")
    lab.servers["s1"].kill_nginx()
    problem = wait_for(lambda: lab.view()["Problem"], 10, "a problem")
    assert "did not take its configuration: nginx -t names the mistake" in problem, problem
    assert lab.view()["State"] == "degraded"
    wait_for(lambda: lab.file.read_text() == before, 2, "the file that nginx has read")
    lab.write_configuration()
    wait_for(lambda: lab.view()["Problem"] == "", 15, "the reload")
    assert lab.line("s1", " down") in lab.block()
    assert lab.answers() == {"s2"}


def test_a_restart_or_a_crash_changes_nothing_that_nginx_sees(world):
    lab = Proxied(world)
    lab.start()
    first = lab.workers()
    lab.servers["s1"].kill_nginx()
    wait_for(lambda: lab.line("s1", " down") in lab.block(), 5, "s1 down")
    wait_for(lambda: lab.workers() and not lab.workers() & first, 5, "the reload")
    written, workers = lab.file.stat().st_mtime_ns, lab.workers()
    lab.lb.holdfastd.kill(signal.SIGKILL)
    lab.lb.holdfastd.wait()
    lab.lb.start_holdfastd()
    wait_for(lambda: lab.view().get("State") == "serving" and lab.view()["RealServers"][0]["State"] == "down", 5, "verdicts again")
    lab.lb.ctl("reload")
    assert (lab.file.stat().st_mtime_ns, lab.workers()) == (written, workers)


def test_an_nginx_that_does_not_run_reads_the_file_when_it_starts(world):
    lab = Proxied(world)
    lab.lb.start_holdfastd()
    wait_for(lab.file.exists, 5, "the upstream's file")
    lab.servers["s1"].kill_nginx()
    wait_for(lambda: lab.block() == [lab.line("s1", " down"), lab.line("s2")], 5, "s1 down in the file")
    assert lab.view()["Problem"] == ""
    lab.start_nginx()
    assert lab.answers() == {"s2"}


def test_a_directory_that_can_not_be_written_is_named(world):
    lab = Proxied(world)
    (lab.lb.directory / "lib").mkdir()
    (lab.lb.directory / "lib/nginx").write_text("in the way")
    lab.lb.start_holdfastd()
    problem = wait_for(lambda: lab.view().get("Problem"), 10, "a problem")
    assert problem == f"{lab.lb.directory}/lib/nginx can't be opened: Not a directory", problem
    os.unlink(lab.lb.directory / "lib/nginx")
    wait_for(lambda: lab.view()["Problem"] == "", 10, "the file")


def test_a_probe_has_a_mark_and_a_low_port_where_the_prober_may_give_them(world):
    """The prober is a child here: it has the right to neither, unless holdfastd is told to leave it."""
    lab = Proxied(world, servers=1)
    world.configure(lab.text.replace("http: /,", "http: /, source_port: 99, mark: 7,"))
    lab.lb.run("nft", "add table ip seen; add chain ip seen out { type filter hook output priority 0; }; "
               "add rule ip seen out tcp sport 99 meta mark 7 counter")
    lab.lb.start_holdfastd()
    wait_for(lambda: lab.view(), 5, "the virtual server")
    wait_for(lambda: "--probe-rights" in json.dumps(lab.view()), 5, "the cure in the view")
    lab.lb.holdfastd.end()
    lab.lb.start_holdfastd("--probe-rights")
    wait_for(lambda: lab.view().get("State") == "serving", 5, "a good verdict")
    assert "packets 0 " not in lab.lb.run("nft", "list", "table", "ip", "seen")
    prober = lab.lb.run("pgrep", "-P", str(lab.lb.holdfastd.pid), "holdfast-prober").strip()
    status = dict(line.split(":\t") for line in pathlib.Path(f"/proc/{prober}/status").read_text().splitlines())
    assert status["Uid"].split() == ["65534"] * 4
    assert int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 1 << 10 | 1 << 13  # CAP_NET_BIND_SERVICE, CAP_NET_RAW
