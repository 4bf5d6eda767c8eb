#!/usr/bin/python3
"""Makes a manual page: `pages.py NAME` prints it. What another file says already is taken from there: the directives from
docs/directives.md, the interfaces from dbus/*.xml; the .scd file beside this one has the rest. scdoc does the layout."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import xml.dom.minidom as dom

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGES = ["holdfastd.8", "holdfastctl.1", "holdfast.yaml.5", "org.holdfast1.5", "holdfast-metrics.8"]
INTERFACES = [*(f"org.holdfast1.{name}" for name in ("Manager", "Instance", "SyncGroup", "Tracker", "VirtualServer", "RealServer")),
              "org.freedesktop.LogControl1"]


# ---- scdoc --------------------------------------------------------------------------------------------------------------

def escaped(text: str) -> str:
    return re.sub(r"([\\*_])", r"\\\1", text)


def marked(text: str) -> str:
    """Markdown's `words` become bold, its *emphasis* underlined."""
    def prose(part: str) -> str:
        return "".join(f"_{escaped(each)}_" if i % 2 else escaped(each) for i, each in enumerate(re.split(r"\*([^*]+)\*", part)))

    return "".join(f"*{escaped(part)}*" if i % 2 else prose(part) for i, part in enumerate(text.split("`")))


def entry(heading: str, *lines: str) -> str:
    return heading + "\n" + "".join(f"\t{line}\n" if line else "\n" for line in lines if line is not None) + "\n"


def sentence(text: str) -> str:
    text = " ".join(text.split())
    is_value = text.split(" ", 1)[0].endswith(":")  # "true: what that does"
    return (text if is_value else text[:1].upper() + text[1:]) + ("" if text.endswith(".") else ".")


# ---- holdfast.yaml(5) -----------------------------------------------------------------------------------------------------

def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def directive(row: dict[str, str]) -> str:
    if "values" not in row:
        return entry(marked(row["word"]), sentence(marked(row["what it is"])))
    default = row["default"]
    facts = ["*Required.*" if default == "required" else f"Default: {marked(default)}."]
    if row.get("per host") == "yes":
        facts.append("_Per host._")
    if row.get("in `defaults`") == "yes":
        facts.append("Also in *defaults*.")
    if row["reload"] != "live":
        facts.append(f"A reload {row['reload']} the instance.")
    return entry(marked(row["word"]), sentence(marked(row["what it does"])), "",
                 f"Values: {marked(row['values'])}." + " " + " ".join(facts))


def directives(markdown: str) -> str:
    out, columns, paragraph = [], [], []

    def flush():
        if paragraph:
            out.append(marked(" ".join(paragraph))+ "\n\n")
        paragraph.clear()

    for line in markdown.split("-->", 1)[1].splitlines():
        if line.startswith("|"):
            flush()
            if not columns:
                columns = cells(line)
            elif not line.startswith("|---"):
                out.append(directive(dict(zip(columns, cells(line), strict=True))))
            continue
        columns = []
        if line.startswith("#"):
            flush()
            level, title = line.split(" ", 1)
            title = title.replace("`", "")
            out.append(f"# {title.upper()}\n\n" if level == "##" else f"## {title}\n\n")
        elif line:
            paragraph.append(line)
        else:
            flush()
    flush()
    return "".join(out)


# ---- org.holdfast1(5) ------------------------------------------------------------------------------------------------------

SIGNALLED = {"const": "never changes", "false": "no signal", "invalidates": "signalled without its value"}


def comment_before(node) -> str:
    """The comment right before an element; nothing when another element is between."""
    before = node.previousSibling
    while before is not None and before.nodeType == before.TEXT_NODE:
        before = before.previousSibling
    return before.data.strip() if before is not None and before.nodeType == before.COMMENT_NODE else ""


def arguments(member, direction: str | None) -> str:
    args = [a for a in member.getElementsByTagName("arg") if direction is None or a.getAttribute("direction") == direction]
    return ", ".join(f"{escaped(a.getAttribute('type'))} _{escaped(a.getAttribute('name'))}_" for a in args)


def described(member) -> str:
    return " ".join(escaped(comment_before(member)).split())


def property_entry(member) -> str:
    emits = [a.getAttribute("value") for a in member.getElementsByTagName("annotation")
             if a.getAttribute("name").endswith("EmitsChangedSignal")]
    how = f", {SIGNALLED[emits[0]]}" if emits and emits[0] in SIGNALLED else ""
    return entry(f"*{member.getAttribute('name')}* ({escaped(member.getAttribute('type'))}{how})", described(member))


def method_entry(member) -> str:
    answer = arguments(member, "out")
    return entry(f"*{member.getAttribute('name')}*({arguments(member, 'in')})" + (f" → {answer}" if answer else ""), described(member))


def signal_entry(member) -> str:
    return entry(f"*{member.getAttribute('name')}*({arguments(member, None)})", described(member))


def interface(name: str) -> str:
    document = dom.parse(str(ROOT / f"dbus/{name}.xml"))
    found = document.getElementsByTagName("interface")[0]
    out = [f"# {name.upper()}\n\n", described(document.documentElement), "\n\n"]
    for tag, title, write in (("property", "Properties", property_entry), ("method", "Methods", method_entry),
                              ("signal", "Signals", signal_entry)):
        if members := found.getElementsByTagName(tag):
            out += [f"## {title}\n\n", *(write(member) for member in members)]
    return "".join(out)


# ---- pages -----------------------------------------------------------------------------------------------------------------

def source(name: str) -> str:
    text = (HERE / f"{name}.scd").read_text(encoding="utf-8")
    if "@DIRECTIVES@\n" in text:
        text = text.replace("@DIRECTIVES@\n", directives((ROOT / "docs/directives.md").read_text(encoding="utf-8")).rstrip() + "\n")
    return text.replace("@INTERFACES@\n", "\n".join(interface(each) for each in INTERFACES).rstrip() + "\n")


def tidy(page: str) -> str:
    """scdoc begins a paragraph wherever there was an empty line; those that hold no text are left out."""
    lines = page.splitlines()
    for i in range(1, len(lines)):  # the space after an indented block belongs behind it
        if lines[i] == ".RE" and lines[i - 1] == ".P":
            lines[i - 1], lines[i] = ".RE", ".P"
    out: list[str] = []
    for i, line in enumerate(lines):
        following = lines[i + 1] if i + 1 < len(lines) else ".SH"
        empty = following.startswith((".SH", ".SS", ".P", ".RE")) or (out and out[-1].startswith((".SH", ".SS", ".TH", ".P")))
        if line == ".P" and empty:
            continue
        out.append(".sp" if line == ".P" and following.startswith(".RS") else line)
    return "\n".join(out) + "\n"


def page(name: str, scdoc: str = "scdoc") -> str:
    done = subprocess.run([scdoc], input=source(name), capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        sys.exit(f"pages.py: scdoc refuses {name}: {done.stderr.strip()}")
    return tidy(done.stdout)


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] not in PAGES:
        sys.exit(f"usage: pages.py PAGE [SCDOC]; there are {', '.join(PAGES)}")
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(page(*sys.argv[1:]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
