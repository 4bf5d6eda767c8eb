"""The journal's catalogs: each kind of message is explained, in English and in Chinese, and what they name exists."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shutil
import subprocess

import command_line
import pytest
from command_line import ROOT

CATALOGS = {"en": ROOT / "systemd/holdfast.catalog", "zh_CN": ROOT / "systemd/holdfast.zh_CN.catalog"}
JOURNAL = (ROOT / "src/bus/journal.cpp").read_text()
IDS = {kind: id for kind, id in re.findall(r'case Kind::(\w+): return "([0-9a-f]{32})"', JOURNAL)}
# What a kind of message always has, besides the node: journalctl leaves the name of a field that is not there in the text.
ALWAYS = {"state_change": {"HOLDFAST_INSTANCE", "HOLDFAST_OLD_STATE", "HOLDFAST_NEW_STATE", "HOLDFAST_REASON"},
          "group_state_change": {"HOLDFAST_SYNC_GROUP", "HOLDFAST_OLD_STATE", "HOLDFAST_NEW_STATE"},
          "tracker_changed": {"HOLDFAST_TRACKER"}, "server_changed": {"HOLDFAST_SERVER"}, "server_unnamed": {"HOLDFAST_SERVER"}}


@dataclasses.dataclass
class Entry:
    header: dict[str, str]
    body: str

    def fields(self) -> set[str]:
        return set(re.findall(r"@(\w+)@", self.header["Subject"] + self.body))

    def technical(self) -> set[str]:
        """What is the same in every language: paths, commands, settings, words of the configuration."""
        return set(re.findall(r"/[\w./-]{4,}\w|holdfastctl [a-z-]+|\w+=\w+|[a-z]+_[a-z_]+|\w+\(\d\)", self.body, re.ASCII))


def entries(language: str) -> dict[str, Entry]:
    result = {}
    for id, text in re.findall(r"^-- ([0-9a-f]{32})\n(.*?)(?=^-- |\Z)", CATALOGS[language].read_text(), re.MULTILINE | re.DOTALL):
        head, body = text.split("\n\n", 1)
        assert id not in result, f"{id} is explained twice"
        result[id] = Entry(dict(line.split(": ", 1) for line in head.splitlines()), body)
    return result


@pytest.mark.parametrize("language", CATALOGS)
def test_every_kind_of_message_is_explained_and_nothing_else(language):
    assert len(IDS) == len(set(IDS.values())) > 20
    assert sorted(entries(language)) == sorted(IDS.values())


@pytest.mark.parametrize("language", CATALOGS)
def test_an_entry_says_who_and_where_to_read_on_and_more_than_one_thing(language):
    for id, entry in entries(language).items():
        assert set(entry.header) == {"Subject", "Defined-By", "Documentation"}, id
        assert entry.header["Defined-By"] == "holdfast"
        assert len(re.findall(r"[.。；;:：]", entry.body)) >= 2, f"{id} says too little to be a cause and a cure"
        assert max(len(line) for line in entry.body.splitlines()) <= 128, id


@pytest.mark.parametrize("language", CATALOGS)
def test_the_fields_of_an_entry_are_those_that_its_messages_have(language):
    sent = set(re.findall(r'"(HOLDFAST_\w+)"', JOURNAL))
    for kind, id in IDS.items():
        used = entries(language)[id].fields()
        assert used <= sent, f"{kind}: src/bus/journal.cpp sends no {used - sent}"
        assert used <= ALWAYS.get(kind, set()) | {"HOLDFAST_NODE"}, f"{kind} does not always have {used}"


def test_both_languages_say_the_same():
    english, chinese = entries("en"), entries("zh_CN")
    for id, entry in english.items():
        assert chinese[id].fields() == entry.fields(), id
        assert chinese[id].technical() == entry.technical(), id
        assert chinese[id].header["Documentation"] == entry.header["Documentation"], id
        assert re.search(r"[\u4e00-\u9fff]", chinese[id].header["Subject"]), id


@pytest.mark.parametrize("language", CATALOGS)
def test_what_an_entry_names_exists(language):
    text = CATALOGS[language].read_text()
    commands = set(command_line.options_of("holdfastctl"))
    assert set(re.findall(r"holdfastctl ([a-z][a-z-]+)", text)) <= commands
    installed = "".join(path.read_text() for path in ROOT.rglob("meson.build"))
    for name in re.findall(r"/usr/share/(?:doc/)?holdfast/([\w.-]+\w)", text):
        assert f"{name}'" in installed, f"{name} is not installed"
    directives = (ROOT / "docs/directives.md").read_text()
    known = set(re.findall(r"\w+", directives + (ROOT / "src/bus/journal.cpp").read_text()))
    for word in re.findall(r"\b[a-z]+_[a-z_]+\b", re.sub(r"[\w.]+\.[\w.]+|\w+=\w+|/\S+|modprobe \w+", "", text), re.ASCII):
        assert word in known | {"ip_vs"}, f"{word} is no word of the configuration"


# ---- journalctl itself ------------------------------------------------------------------------------------------------------

def journalctl(root, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    if not shutil.which("journalctl"):
        pytest.skip("journalctl is not installed")
    return subprocess.run(["journalctl", f"--root={root}", *arguments], capture_output=True, text=True, timeout=20, check=False,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **environment})


@pytest.fixture
def root(tmp_path):
    for folder in ("usr/lib/systemd/catalog", "var/lib/systemd/catalog"):
        (tmp_path / folder).mkdir(parents=True)
    for catalog in CATALOGS.values():
        shutil.copy(catalog, tmp_path / "usr/lib/systemd/catalog")
    done = journalctl(tmp_path, "--update-catalog")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return tmp_path


def subjects(language: str) -> list[str]:
    return sorted(f"{id} holdfast: {entry.header['Subject']}" for id, entry in entries(language).items())


def test_journalctl_takes_the_catalogs(root):
    assert sorted(journalctl(root, "--list-catalog").stdout.splitlines()) == subjects("en")


def test_journalctl_speaks_chinese_where_the_locale_does(root, tmp_path):
    neutral = pathlib.Path("/usr/lib/locale/C.utf8")
    if not neutral.is_dir():
        pytest.skip(f"{neutral} is not there to make a locale of")
    shutil.copytree(neutral, tmp_path / "zh_CN.UTF-8")  # only the name matters here
    listed = journalctl(root, "--list-catalog", LOCPATH=str(tmp_path), LC_ALL="zh_CN.UTF-8")
    assert sorted(listed.stdout.splitlines()) == subjects("zh_CN")
