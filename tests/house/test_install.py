"""docs/install.md, as far as it can be tried without installing anything: commands, packages, paths and files that it names."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import command_line
import page
import pytest
from command_line import BUILD, ROOT

PAGE = (ROOT / "docs/install.md").read_text()
MESON = "".join(path.read_text() for path in ROOT.rglob("meson.build") if not path.is_relative_to(ROOT / "build"))


def blocks(kind: str = "") -> list[str]:
    return page.blocks("install.md", kind)


def commands() -> list[str]:
    return page.commands("install.md")


def test_the_page_has_commands():
    assert len(commands()) > 20


def test_the_packages_to_build_with_are_those_of_dev():
    listed = set(next(line for line in commands() if " g++ " in line).split("recommends", 1)[1].split())
    wanted = set(re.search(r"^packages_build=\((.*?)\)", (ROOT / "dev").read_text(), re.MULTILINE | re.DOTALL)[1].split())
    assert wanted - listed == {"ccache", "libgtest-dev"}, "only what tests and rebuilds need may be left out"
    assert listed <= wanted


def test_holdfastctl_and_holdfastd_know_what_the_page_asks_of_them():
    known = command_line.options_of("holdfastctl")
    used = re.findall(r"holdfastctl ([a-z][a-z-]*)((?: -[\w-]+)*)", PAGE)
    assert {"status", "failover", "maintenance", "log"} <= {command for command, _ in used}
    for command, options in used:
        assert command in known and set(options.split()) <= known[command] | known[""], command
    for options in re.findall(r"holdfastd((?: -[\w-]+)+)", PAGE):
        assert set(options.split()) <= command_line.options_of("holdfastd")[""]


def test_the_files_that_the_page_names_are_installed_or_here():
    for name in re.findall(r"/usr/share/(?:doc/)?holdfast/([\w.-]+\w)", PAGE):
        assert f"{name}'" in MESON, f"{name} is not installed"
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
    for name in ("sysusers", "tmpfiles"):
        assert re.search(rf"holdfast\.{name}', rename: 'holdfast\.conf'", MESON)


@pytest.mark.parametrize("node", ["lb1", "lb2"])
@pytest.mark.parametrize("signed", [False, True])
def test_the_file_is_valid_on_both_hosts_also_with_signed_adverts(node, signed, tmp_path):
    program = BUILD / "src/daemon/holdfastd"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    text, = blocks("yaml")
    if signed:
        authentication = re.search(r"`(authentication: .*?)`", PAGE)[1]
        text = text.replace("    track: [nginx]\n", f"    track: [nginx]\n    {authentication}\n")
        credential, = re.findall(r"^LoadCredential=([\w.]+):", PAGE, re.MULTILINE)
        key = subprocess.run(["openssl", "rand", "-base64", "36"], capture_output=True, check=True).stdout
        (tmp_path / credential).write_bytes(key)
    (tmp_path / "holdfast.yaml").write_text(text)
    done = subprocess.run([program, "--check", "--config", tmp_path / "holdfast.yaml", "--node-name", node], capture_output=True, text=True,
                          env={"CREDENTIALS_DIRECTORY": str(tmp_path)}, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_polkit_rule_is_one_after_the_pages_command():
    command, = [line for line in commands() if line.startswith("sed ")]
    script = re.search(r"sed '(.*?)'", command)[1]
    rule = subprocess.run(["sed", script, ROOT / "systemd/holdfast.rules"], capture_output=True, text=True, check=True).stdout
    code = re.sub(r"/\*.*?\*/", "", rule, flags=re.DOTALL).strip()
    assert code.startswith("polkit.addRule(function(action, subject) {") and code.endswith("});") and "//" not in code
    assert code.count("{") == code.count("}") and code.count("(") == code.count(")")


def test_the_firewall_rules_are_nfts():
    if not shutil.which("nft") or os.geteuid() != 0:
        pytest.skip("nft needs to be there, and root")
    rules = [line.removeprefix("sudo nft ") for line in commands() if line.startswith("sudo nft ")]
    assert len(rules) == 2
    script = "add table inet filter\nadd chain inet filter input { type filter hook input priority 0; policy drop; }\n" + "\n".join(rules) + "\n"
    done = subprocess.run(["unshare", "-n", "nft", "-f", "-"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_unpacking_leaves_the_systems_own_directories_as_they_are(tmp_path):
    for folder in ("stage/usr/bin", "root/usr"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "stage/usr/bin/holdfastctl").write_text("new")
    (tmp_path / "root/usr").chmod(0o711)
    for line in [line for line in commands() if " tar " in f" {line}"]:
        shell = line.removeprefix("sudo ").replace("-C / ", "-C root ")
        assert "stage" in shell or "-C root" in shell
        subprocess.run(["sh", "-ec", shell], cwd=tmp_path, check=True)
    assert (tmp_path / "root/usr/bin/holdfastctl").read_text() == "new"
    assert (tmp_path / "root/usr").stat().st_mode & 0o777 == 0o711
