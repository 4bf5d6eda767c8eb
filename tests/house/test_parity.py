"""docs/keepalived.md: every directive of keepalived, what it is here, and a test that shows it. All of these exist."""

from __future__ import annotations

import re

import pytest
from command_line import ROOT

PAGE = (ROOT / "docs/keepalived.md").read_text()
DIRECTIVES = (ROOT / "docs/directives.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines()
        if line.startswith("| ") and not line.startswith("| keepalived")]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def known_tests() -> set[str]:
    names = {path.stem for path in (ROOT / "tests/scenario").glob("*.txt")}
    for path in (ROOT / "tests").rglob("*.cpp"):
        names |= {".".join(found) for found in re.findall(r"^TEST(?:_F|_P)?\((\w+), *(\w+)\)", path.read_text(), re.MULTILINE)}
    for path in (ROOT / "tests").rglob("test_*.py"):
        names |= set(re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE))
    return names


def test_there_are_rows_and_each_has_three_cells():
    assert len(ROWS) > 150
    assert [row for row in ROWS if len(row) != 3] == []


def test_every_row_names_tests_that_there_are():
    known = known_tests()
    assert [row[0] for row in ROWS if not quoted(row[2])] == [], "rows that nothing shows"
    assert sorted({name for row in ROWS for name in quoted(row[2])} - known) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: quoted(row[0])[0] if quoted(row[0]) else row[0])
def test_what_a_row_calls_it_here_is_a_word_of_the_file(row):
    words = quoted(row[1])
    assert words or row[1].startswith("none: "), "a directive, or why there is none"
    assert [word for word in words if not re.search(rf"\b{word}\b", DIRECTIVES)] == []


def test_every_word_that_the_file_answers_with_a_hint_stands_here():
    hints = [word for name in ("foreign.cpp", "foreign_servers.cpp")
             for word in re.findall(r'ForeignWord\{"(\w+)"', (ROOT / "src/config" / name).read_text())]
    assert len(hints) > 120
    assert sorted(set(hints) - set(quoted(PAGE))) == []
