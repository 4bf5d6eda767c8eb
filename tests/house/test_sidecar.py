"""docs/sidecar.md, as far as it can be tried without a container: what it names is here, its file is valid, its commands are known.
`./dev lab sidecar` sets its hosts up by the page's own command and file."""

from __future__ import annotations

import re
import subprocess

import command_line
import page
import pytest
from command_line import BUILD, ROOT

PAGE = "sidecar.md"
TEXT = (ROOT / "docs" / PAGE).read_text()
CONTAINERFILE = (ROOT / "container/Containerfile").read_text()


def test_the_page_has_commands():
    assert len(page.commands(PAGE)) > 20


def test_holdfastctl_knows_what_the_page_and_the_units_ask_of_it():
    known = command_line.options_of("holdfastctl")
    asked = TEXT + CONTAINERFILE.replace('", "', " ") + "".join(
        path.read_text() for path in (ROOT / "container").rglob("*") if path.is_file())
    used = re.findall(r"holdfastctl ([a-z][a-z-]*)((?: --[\w-]+)*)", asked)
    assert {("health", " --liveness"), ("reload", ""), ("failover", "")} <= set(used)
    for command, options in used:
        if command in known:
            assert set(options.split()) <= known[command] | known[""], command
        else:
            assert command in {"health", "that", "needs", "runs", "of"}, f"holdfastctl has no {command}"


def test_what_the_page_links_and_names_is_here():
    for link, _, anchor in (found.partition("#") for found in re.findall(r"\]\(([^):]+)\)", TEXT)):
        target = ROOT / "docs" / link
        assert target.exists(), link
        if anchor:
            headings = [re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
                        for line in target.read_text().splitlines() if line.startswith("#")]
            assert anchor in headings, anchor
    setup = (ROOT / "container/host-setup").read_text()
    for path in re.findall(r"^\| `(/[^`]+?)/?`", TEXT, re.MULTILINE):
        assert path in setup, f"host-setup writes no {path}"
    for unit in ("holdfast-metrics.socket", "holdfast.container", "web.pod"):
        assert unit in setup
    assert (ROOT / "container/quadlet/pod/web.pod").exists()  # web-pod.service


@pytest.mark.parametrize("node", ["lb1", "lb2"])
def test_the_file_is_valid_on_both_hosts(node, tmp_path):
    program = BUILD / "src/daemon/holdfastd"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    text, = page.blocks(PAGE, "yaml")
    (tmp_path / "holdfast.yaml").write_text(text)
    done = subprocess.run([program, "--check", "--config", tmp_path / "holdfast.yaml", "--node-name", node], capture_output=True, text=True,
                          timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_image_has_what_the_build_needs_and_nothing_else():
    packages = set(re.search(r"^packages_build=\((.*?)\)", (ROOT / "dev").read_text(), re.MULTILINE | re.DOTALL)[1].split())
    first = CONTAINERFILE.split("AS build", 1)[1].split("COPY", 1)[0].replace("\\\n", " ")
    installed = set(re.search(r"--no-install-recommends (.*)", first)[1].split())
    assert installed == packages | {"ca-certificates"}
