"""Programming a load balancer's table from nothing: the daemon's thread beside ipvsadm(8) and beside a loader that has every
byte ready. In the virtual machine, so only the ratios say something:

    sudo ./dev bench ipvs
"""

from __future__ import annotations

import subprocess

import pytest
from world import BUILD, World, now, run

TABLES = {"1,000 services of 10": (1000, 10), "10 services of 1,000": (10, 1000)}
ROUNDS = 3  # the best of each counts
MOST_OF_THE_LOADER = 1.2  # issue 4


def rules(services: int, servers: int) -> str:
    lines = []
    for i in range(services):
        service = f"-t 10.{100 + i // 250}.{i % 250}.1:80"
        lines.append(f"-A {service} -s wrr")
        lines += [f"-a {service} -r 10.{j // 250}.{j % 250}.2:80 -m -w {1 + j % 9}" for j in range(servers)]
    return "\n".join(lines) + "\n"


class Bench:
    def __init__(self, world: World, text: str):
        self.host = world.add("lb1")
        self.file = world.directory / "rules"
        self.file.write_text(text)
        self.text = text
        self.steps = text.count("\n")

    def tool(self, *commands: str) -> float:
        """Seconds of the thread or the loader itself, without reading the text."""
        done = subprocess.run(["ip", "netns", "exec", self.host.namespace, BUILD / "tests/bench/holdfast-ipvs-tool"], text=True,
                              input="\n".join([*commands, ""]), stdout=subprocess.PIPE, check=True).stdout
        assert "failed" not in done and "error" not in done, done[:300]
        return int(done.split()[-1]) / 1e9

    def ipvsadm(self, arguments: str) -> float:
        began = now()
        self.host.run("sh", "-c", f"ipvsadm {arguments}")
        return now() - began

    def from_nothing(self, measure) -> float:
        times = []
        for _ in range(ROUNDS):
            self.host.run("ipvsadm", "-C")
            times.append(measure())
            assert self.host.run("ipvsadm", "-Sn").count("\n") == self.steps
        return min(times)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_from_nothing(name):
    run("modprobe", "ip_vs_wrr")
    with World("hfbench") as world:
        bench = Bench(world, rules(*TABLES[name]))
        text = bench.text.rstrip("\n")
        bare = bench.from_nothing(lambda: bench.tool(text, "bare"))
        ipvsadm = bench.from_nothing(lambda: bench.ipvsadm(f"-R < {bench.file}"))
        thread = bench.from_nothing(lambda: bench.tool(text, "go"))
        read = min(bench.tool("state") for _ in range(ROUNDS))
        listed = min(bench.ipvsadm("-Ln > /dev/null") for _ in range(ROUNDS))
        print(f"\n{name}: loader {bare * 1e3:.1f} ms, thread {thread * 1e3:.1f} ms, ipvsadm -R {ipvsadm * 1e3:.1f} ms: the thread takes "
              f"{thread / bare:.2f} of the loader, {thread / ipvsadm:.2f} of ipvsadm -R; read back in {read * 1e3:.1f} ms, "
              f"{read / listed:.2f} of ipvsadm -Ln")
        assert thread <= bare * MOST_OF_THE_LOADER
