"""The completions of bash, zsh and fish, in real shells: a line that somebody has begun, and what the shell offers. A holdfastctl
of our own answers with names; the commands and options are those of the real one."""

from __future__ import annotations

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time

import command_line
import pytest
from command_line import ROOT

FILES = ROOT / "src/ctl/completions"
OPTIONS = command_line.options_of("holdfastctl")
COMMANDS = sorted(command for command in OPTIONS if command)
INSTANCES, SERVERS = ["inside", "web", "web/ipv4", "web/ipv6"], ["mail/m1", "web-http/lb1", "web-http/lb2"]
PROPERTIES = ["Name", "State", "StateReason"]
PROGRAM = f"""#!/bin/sh
case "$1" in
    --complete) printf '%s\\n' {' '.join(INSTANCES)} ;;
    --complete-servers) printf '%s\\n' {' '.join(SERVERS)} ;;
    show) case "$2" in {'|'.join(INSTANCES)}) printf 'Name=%s\\nState=master\\n\\nStateReason={{"Code":"a=b"}}\\n' "$2" ;; *) exit 5 ;; esac ;;
    *) exit 2 ;;
esac
"""


@pytest.fixture
def there(tmp_path):
    program = tmp_path / "bin/holdfastctl"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return tmp_path


def environment(there: pathlib.Path) -> dict[str, str]:
    return {"PATH": f"{there}/bin:/usr/bin:/bin", "HOME": str(there), "XDG_CONFIG_HOME": str(there), "XDG_DATA_HOME": str(there),
            "LC_ALL": "C.UTF-8", "TERM": "dumb"}


def run(there: pathlib.Path, *command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment(there), stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def parts(said: str) -> list[list[str]]:
    """What stands behind each line's mark."""
    return [part.splitlines() for part in said.split("<line>\n")[1:]]


def in_bash(there: pathlib.Path, lines: list[str]) -> list[list[str]]:
    """As readline calls the function: it breaks words at '=' too."""
    script = f"source '{FILES}/holdfastctl.bash'\n"
    for line in lines:
        words = re.findall(r"=|[^\s=]+", line) + ([""] if line.endswith(" ") else [])
        quoted = " ".join(f"'{word}'" for word in words)
        script += (f"COMPREPLY=(); COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _holdfastctl; echo '<line>'\n"
                   "[ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' \"${COMPREPLY[@]}\"\n")
    return parts(run(there, "bash", "--norc", "-c", script))


def in_fish(there: pathlib.Path, lines: list[str]) -> list[list[str]]:
    script = f"source '{FILES}/holdfastctl.fish'\n" + "".join(f"echo '<line>'; complete -C '{line}'\n" for line in lines)
    return [[candidate.split("\t")[0] for candidate in part] for part in parts(run(there, "fish", "--no-config", "-c", script))]


ZSH = """
PS1= PS2= PROMPT_EOL_MARK=
autoload -Uz compinit && fpath=({files} $fpath) && compinit -C -d {dump}
# What would be offered is printed instead; the shell's own looks (-O, -A, -D) go on.
compadd() {{
    local -a offered
    if [[ ${{(j: :)@}} == *-[OAD]\\ * ]]; then builtin compadd "$@"; return; fi
    builtin compadd -O offered "$@"
    print -rl -- "<"${{^offered}}">"
    return 1
}}
ask() {{
    for BUFFER in ${{(f)LINES_BEGUN}}; do print '<line>'; CURSOR=$#BUFFER; zle list-choices; done
    print '<end>'; exit
}}
zle -N ask
bindkey '^X' ask
print '<ready>'
"""


def read_until(terminal: int, mark: bytes, seconds: float) -> bytes:
    said, end = b"", time.monotonic() + seconds
    while mark not in said:
        assert time.monotonic() < end and select.select([terminal], [], [], 1 + seconds)[0], f"no {mark!r} in {said!r}"
        try:
            said += os.read(terminal, 65536)
        except OSError:  # the shell has ended
            break
    return said


def in_zsh(there: pathlib.Path, lines: list[str]) -> list[list[str]]:
    """Completion of zsh works in its line editor only: a terminal, and a key that asks."""
    (there / ".zshrc").write_text(ZSH.format(files=FILES, dump=there.parent / "zcompdump"))
    ours, theirs = pty.openpty()
    with subprocess.Popen(["zsh", "-d", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                          env={**environment(there), "LINES_BEGUN": "\n".join(lines), "ZDOTDIR": str(there)}) as shell:
        os.close(theirs)
        try:
            read_until(ours, b"<ready>", 30)
            os.write(ours, b"\x18")
            said = read_until(ours, b"<end>", 30).decode()
        finally:
            shell.kill()
            os.close(ours)
    return [re.findall(r"<([^<>\r\n]+)>", part.split("<end>")[0]) for part in said.split("<line>")[1:]]


SHELLS = {"bash": in_bash, "zsh": in_zsh, "fish": in_fish}


@pytest.fixture(params=SHELLS)
def offered(request, there):
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")

    def ask(*lines: str) -> dict[str, list[str]]:
        answers = SHELLS[request.param](there, [f"holdfastctl {line}" for line in lines])
        return {line: sorted(set(words)) for line, words in zip(lines, answers, strict=True)}

    return ask


def without_options(answers: dict[str, list[str]]) -> dict[str, list[str]]:
    return {line: [word for word in words if not word.startswith("-")] for line, words in answers.items()}


def test_every_command_is_offered_and_no_other(offered):
    assert without_options(offered("", "st", "--json st")) == {"": COMMANDS, "st": ["status"], "--json st": ["status"]}


def long_options(words: set[str] | list[str]) -> set[str]:
    """Some shells offer --json=short as well, and not every one shows a short option beside its long one."""
    return {word.split("=")[0] for word in words if word.startswith("--")}


def test_the_options_of_each_command_are_offered_and_no_other(offered):
    wanted = {"--": long_options(OPTIONS[""])}
    everywhere = long_options(OPTIONS[""]) - {"--version"}  # the program's own may stand behind a command too
    wanted |= {f"{command} --": long_options(OPTIONS[command]) | everywhere for command in COMMANDS}
    assert {line: long_options(words) for line, words in offered(*wanted).items()} == wanted


ARGUMENTS = {
    "status ": INSTANCES, "show w": ["web", "web/ipv4", "web/ipv6"], "failover web/": ["web/ipv4", "web/ipv6"],
    "is-master i": ["inside"], "log ": INSTANCES, "monitor --json i": ["inside"],
    "drain ": SERVERS, "enable m": ["mail/m1"], "probe web-http/": ["web-http/lb1", "web-http/lb2"], "disable mail": ["mail/m1"],
    "ipvs ": ["mail", "web-http"], "connections m": ["mail", "mail/m1"], "maintenance ": ["off", "on"],
    "weight mail/m1 ": ["file"], "add m": ["mail/"], "remove mail": ["mail/m1"], "add mail/m2 10.0.0.1 ": [], "show web -p S": ["State", "StateReason"], "show --property ": PROPERTIES,
    "digest --hash ": ["md5", "sha256"], "failover web --hold 60": ["60s"], "failover --hold 60s w": ["web", "web/ipv4", "web/ipv6"],
    "list ": ["instances", "servers", "trackers"], "reload ": [], "show web ": [], "top -n ": []}


def test_an_argument_is_what_the_daemon_knows(offered):
    assert without_options(offered(*ARGUMENTS)) == ARGUMENTS


def test_a_value_behind_an_equals_sign_is_completed(offered):
    answers = offered("failover web --hold=60", "failover --hold=60s i")
    assert [[word.removeprefix("--hold=") for word in words] for words in answers.values()] == [["60s"], ["inside"]]


def test_without_a_daemon_there_are_no_names_and_no_noise(offered, there):
    (there / "bin/holdfastctl").write_text("#!/bin/sh\necho holdfastd is not running >&2\nexit 3\n")
    lines = "drain ", "show ", "show -p ", "ipvs "
    assert without_options(offered(*lines)) == {line: [] for line in lines}
