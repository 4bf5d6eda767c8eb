"""The manual pages: what stands in them exists, and what exists stands in them."""

from __future__ import annotations

import importlib.util
import pathlib
import re
import shutil
import subprocess
import xml.dom.minidom as dom

import command_line
import pytest
from command_line import BUILD, ROOT

MAN = ROOT / "docs/man"
spec = importlib.util.spec_from_file_location("pages", MAN / "pages.py")
pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pages)


def text_of(name: str) -> str:
    return (MAN / f"{name}.scd").read_text()


def section(text: str, *titles: str) -> str:
    return "".join(re.search(rf"^# {title}\n(.*?)(?=^# |\Z)", text, re.MULTILINE | re.DOTALL)[1] for title in titles)


def documented(text: str) -> set[str]:
    """The options that have an entry: a line of its own that begins with one."""
    return {option for line in re.findall(r"^\t*(\*-.*)$", text, re.MULTILINE) for option in re.findall(r"\*(--?[\w-]+)\*", line)}


def commands_in(text: str) -> dict[str, set[str]]:
    body = section(text, "COMMANDS TO LOOK", "COMMANDS TO ACT")
    entries = re.split(r"^\*(\w[\w-]*)\*.*$", body, flags=re.MULTILINE)[1:]
    return {command: documented(rest) for command, rest in zip(entries[::2], entries[1::2], strict=True)}


# ---- the two programs -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("program,page", [("holdfastd", "holdfastd.8"), ("holdfastctl", "holdfastctl.1")])
def test_every_option_of_the_program_stands_in_its_page_and_no_other(program, page):
    assert documented(section(text_of(page), "OPTIONS")) == command_line.options_of(program)[""]


def test_every_option_of_holdfast_metrics_stands_in_its_page_and_no_other():
    source = (ROOT / "src/metrics/main.cpp").read_text()
    wanted = set(re.findall(r'^    "  (--[\w-]+)', source, re.MULTILINE)) | {"-h", "--help", "--version"}
    assert documented(section(text_of("holdfast-metrics.8"), "OPTIONS")) == wanted


def test_every_command_of_holdfastctl_stands_in_its_page_with_its_options_and_no_other():
    wanted = {command: options - {"-h", "--help"} for command, options in command_line.options_of("holdfastctl").items() if command}
    assert commands_in(text_of("holdfastctl.1")) == wanted


@pytest.mark.parametrize("program", command_line.PROGRAMS)
def test_the_source_says_the_same_as_the_built_program(program):
    binary, source = (BUILD / command_line.PROGRAMS[program][0], ROOT / command_line.PROGRAMS[program][1])
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        pytest.skip(f"{program} is not built from this source")
    assert command_line.from_source(source.read_text()) == command_line.from_program(binary)


def test_the_exit_statuses_of_holdfastctl_are_those_of_the_source():
    source = re.search(r"enum class Exit \{(.*?)\}", (ROOT / "src/ctl/connection.hpp").read_text(), re.DOTALL)[1]
    wanted = re.findall(r"= (\d+)", source)
    assert re.findall(r"^\*(\d+)\*$", section(text_of("holdfastctl.1"), "EXIT STATUS"), re.MULTILINE) == wanted


# ---- the configuration ---------------------------------------------------------------------------------------------------

def test_every_directive_stands_in_holdfast_yaml():
    page = pages.source("holdfast.yaml.5")
    rows = re.findall(r"^\| `(.+?)` \|", (ROOT / "docs/directives.md").read_text(), re.MULTILINE)
    assert len(rows) > 100
    entries = re.findall(r"^\*(.+?)\*$", page, re.MULTILINE)
    assert [entry.replace("\\", "") for entry in entries if entry.replace("\\", "") in set(rows)] == rows


def examples() -> list[str]:
    return re.findall(r"^```\n(.*?)^```", section(text_of("holdfast.yaml.5"), "EXAMPLES"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", examples(), ids=lambda text: text.split()[0])
@pytest.mark.parametrize("node", ["lb1", "lb2"])
def test_the_examples_of_holdfast_yaml_are_valid_on_both_hosts(example, node, tmp_path):
    program = BUILD / "src/daemon/holdfastd"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    file = tmp_path / "holdfast.yaml"
    file.write_text(example)
    done = subprocess.run([program, "--check", "--config", file, "--node-name", node], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# ---- the bus -----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("file", sorted((ROOT / "dbus").glob("*.xml")), ids=lambda path: path.stem)
def test_every_member_of_an_interface_has_a_comment(file):
    document = dom.parse(str(file))
    assert pages.comment_before(document.documentElement), f"{file.name} does not say what it is for"
    members = [m for tag in ("property", "method", "signal") for m in document.getElementsByTagName(tag)]
    assert members
    assert [m.getAttribute("name") for m in members if not pages.comment_before(m)] == []


def test_every_interface_is_in_the_page():
    assert {file.stem for file in (ROOT / "dbus").glob("*.xml")} == set(pages.INTERFACES)
    page = pages.source("org.holdfast1.5")
    for name in pages.INTERFACES:
        document = dom.parse(str(ROOT / f"dbus/{name}.xml"))
        part = section(page, re.escape(name.upper()))
        for tag in ("property", "method", "signal"):
            for member in document.getElementsByTagName(tag):
                assert f"*{member.getAttribute('name')}*" in part


def entries_of(title: str) -> set[str]:
    return {word.replace("\\", "") for word in re.findall(r"^\*(\S+)\*$", section(text_of("org.holdfast1.5"), title), re.MULTILINE)}


def test_the_errors_in_the_page_are_those_of_the_source():
    source = "".join((ROOT / f"src/bus/names.{end}").read_text() for end in ("cpp", "hpp"))
    assert entries_of("ERRORS") == set(re.findall(r'"org\.holdfast1\.Error\.(\w+)"', source))


def test_who_may_do_what_in_the_page_is_what_the_source_says():
    source = (ROOT / "src/bus/access.cpp").read_text()
    ids = dict(re.findall(r'case Action::(\w+): return "([\w.-]+)"', source))
    wanted = {name: set() for name in ids.values()}
    for member, action in re.findall(r'^    \{\w+, "(\w+)", Action::(\w+)', source, re.MULTILINE):
        if action in ids:
            wanted[ids[action]].add(member)
    entries = re.findall(r"^\*(org\.holdfast1\.[\w-]+)\*$\n((?:\t.*\n)+)", section(text_of("org.holdfast1.5"), "ACCESS"), re.MULTILINE)
    assert {name: set(re.findall(r"\*(\w+)\*", text)) for name, text in entries} == wanted
    policy = dom.parse(str(ROOT / "dbus/org.holdfast1.policy"))
    assert {each.getAttribute("id") for each in policy.getElementsByTagName("action")} == set(wanted)


def test_the_reasons_in_the_page_are_those_of_the_source():
    source = (ROOT / "src/vrrp/state.cpp").read_text()
    assert entries_of("STATES AND REASONS") == set(re.findall(r'case Reason::\w+: return \{"(\w+)"', source))


def test_the_codes_of_faults_and_warnings_in_the_interface_are_those_of_the_engine():
    engine = "".join(path.read_text() for path in (ROOT / "src/engine").glob("*.cpp"))
    said = set(re.findall(r'(?:FaultCause|faults\.push_back\(|find\(\*?router,)\s*\{\s*"(\w+)"', engine))
    said |= set(re.findall(r'const std::string word = .*?"(\w+)" : "(\w+)";', engine)[0])  # whose own link it is
    document = dom.parse(str(ROOT / "dbus/org.holdfast1.Instance.xml"))
    listed = {m.getAttribute("name"): pages.comment_before(m) for m in document.getElementsByTagName("property")}
    codes = [set(re.findall(r"\w+", listed[name].rsplit(": ", 1)[1])) for name in ("Faults", "Warnings")]
    assert codes[0] | codes[1] == said


# ---- the layout ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", pages.PAGES)
def test_the_page_is_lint_clean(name, tmp_path):
    for tool in ("scdoc", "mandoc"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    page = tmp_path / name
    page.write_text(pages.page(name))
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    text = subprocess.run(["mandoc", "-T", "utf8", page], capture_output=True, text=True, check=True).stdout
    assert not re.search(r"@[A-Z]+@", text)


def test_the_pages_that_the_programs_and_units_name_exist():
    named = {found for pattern in ("systemd/*", "docs/man/*.scd") for file in ROOT.glob(pattern)
             for found in re.findall(r"man:([\w.-]+\(\d\))|\*((?:holdfast|org\.holdfast)[\w.-]*)\*\((\d)\)", file.read_text())}
    pages_named = {whole or f"{name}({number})" for whole, name, number in named}
    assert pages_named
    assert {re.sub(r"\((\d)\)$", r".\1", page) for page in pages_named} <= set(pages.PAGES)
