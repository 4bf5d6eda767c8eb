"""What the programs take on the command line, as they say it themselves: from --help where they are built, else from the calls
of CLI11 in the source. One value: {command: options}; the options of the program itself stand under ""."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HOLDFAST_BUILD", ROOT / "build"))
PROGRAMS = {"holdfastctl": ("src/ctl/holdfastctl", "src/ctl/main.cpp"), "holdfastd": ("src/daemon/holdfastd", "src/daemon/options.cpp")}
MAKES = r"(?:app\.add_subcommand|for_server)"

Options = dict[str, set[str]]


def words(text: str) -> set[str]:
    return {word for word in text.split(",") if word.startswith("-")}


def help_of(program: pathlib.Path, *arguments: str) -> tuple[list[str], set[str]]:
    """The commands and the options that a --help names."""
    done = subprocess.run([program, *arguments, "--help"], capture_output=True, text=True, check=True, timeout=20)
    commands, options, section = [], set(), ""
    for line in done.stdout.splitlines():
        if heading := re.match(r"^(\w+):", line):
            section = heading[1].lower()
        elif section == "options" and (found := re.match(r"^ {2}(-\S+)", line)):
            options |= words(found[1])
        elif section == "subcommands" and (found := re.match(r"^ {2}(\w[\w-]*)", line)):
            commands.append(found[1])
    return commands, options


def from_program(program: pathlib.Path) -> Options:
    commands, options = help_of(program)
    return {"": options} | {command: help_of(program, command)[1] for command in commands}


def from_source(text: str) -> Options:
    """Each statement makes a command, adds an option, or both; an option of no group is hidden."""
    result: Options = {"": {"-h", "--help"}} | {command: {"-h", "--help"} for command in re.findall(rf'{MAKES}\("([\w-]+)"', text)}
    commands_of = {"app": ""} | {command: command for command in result if command}  # a function of its own names its command so
    for statement in text.split(";"):
        made = re.search(rf'(?:auto\*(?: const)? (\w+) = )?{MAKES}\("([\w-]+)"', statement)
        if made and made[1]:
            commands_of[made[1]] = made[2]
        if '->group("")' in statement:
            continue
        for owner, option in re.findall(r'(\w+)?(?:\.|->)\s*(?:add_option|add_option_function<[\w:]+>|add_flag|set_version_flag)\(\s*"(-[\w,-]+)"', statement):
            command = made[2] if made and owner not in commands_of else commands_of.get(owner)
            assert command is not None, f"whose option is {option} in: {statement.strip()}"
            result[command] |= words(option)
    return result


def options_of(name: str) -> Options:
    binary, source = (BUILD / PROGRAMS[name][0], ROOT / PROGRAMS[name][1])
    if binary.exists() and binary.stat().st_mtime > source.stat().st_mtime:
        return from_program(binary)
    return from_source(source.read_text())
