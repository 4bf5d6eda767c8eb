"""What a page of docs/ tells people to type and to write."""

from __future__ import annotations

import re

from world import REPOSITORY


def blocks(page: str, kind: str = "") -> list[str]:
    text = (REPOSITORY / "docs" / page).read_text()
    return [block for found, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if found == kind]


def commands(page: str) -> list[str]:
    """One a line, without prompts and remarks."""
    joined = "".join(blocks(page)).replace("\\\n", "")
    return [line.removeprefix("$ ").split("  #")[0].strip() for line in joined.splitlines() if line.startswith("$ ")]
