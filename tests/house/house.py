#!/usr/bin/python3
"""The house rules of DESIGN as a test: who may include whom, what is pure, that every header compiles alone, that every
directive is documented. Also prints the longest files and functions: a report, no limit."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SRC = ROOT / "src"

# A folder may include only those it stands on, directly or by what these stand on.
STANDS_ON = {
    "base": "", "wire": "base", "model": "base", "config": "model base", "lint": "config model base",
    "vrrp": "wire model base", "bfd": "wire model base", "check": "model base", "pool": "model base",
    "engine": "vrrp bfd check pool wire model base", "kernel": "engine wire vrrp model base", "bus": "engine vrrp wire model base",
    "ipc": "model base", "upstream": "model base", "prober": "ipc model base", "runner": "ipc model base",
    "metrics": "base", "ctl": "config lint ipc model base",
    "daemon": "base wire model config lint vrrp bfd check pool engine kernel bus ipc upstream",
}
PURE = {"base", "wire", "model", "config", "lint", "vrrp", "bfd", "check", "pool", "engine"}
# System headers through which a pure room could reach the world. base owns the words for descriptors, mailboxes and who works them off.
WORLD = re.compile(r"#include <(sys/|unistd|fcntl|poll|thread|mutex|atomic|fstream|iostream|random|filesystem|systemd|netlink|sdbus|curl|csignal|pthread|net/|linux/|ctime|time\.h)")
WORLD_ALLOWED = {"base/fd.hpp", "base/mailbox.hpp", "base/worker.hpp"}
CLOCKS = re.compile(r"\b(system_clock|steady_clock|high_resolution_clock|clock_gettime|getenv|std::rand|random_device)\b")
# A library that is a pure function may stand in a pure room, in this one file (docs/decisions).
PURE_LIBRARIES = {"openssl/": "wire/digest.cpp", "yaml-cpp/": "config/yaml.cpp"}
# Heavy headers live in few .cpp files each.
HEAVY = {"yaml-cpp/": 1, "CLI/": 2, "nlohmann/": 3, "sdbus-c++": 4}

problems: list[str] = []


def sources(pattern: str) -> list[pathlib.Path]:
    return sorted(p for p in SRC.rglob(pattern))


def check_includes():
    for path in sources("*.[ch]pp"):
        room = path.relative_to(SRC).parts[0]
        allowed = {room, *STANDS_ON.get(room, "").split()}
        if room not in STANDS_ON:
            problems.append(f"{path.relative_to(ROOT)}: the room '{room}' is not in the plan")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            place = f"{path.relative_to(ROOT)}:{number}"
            if found := re.match(r'#include "([^/"]+)/', line):
                if found[1] in STANDS_ON and found[1] not in allowed:
                    problems.append(f"{place}: {room} may not include {found[1]} (it stands on: {STANDS_ON[room] or 'nothing'})")
            if room in PURE and WORLD.match(line) and str(path.relative_to(SRC)) not in WORLD_ALLOWED:
                problems.append(f"{place}: the pure room {room} reaches for the world: {line}")
            for header, home in PURE_LIBRARIES.items():
                if room in PURE and line.startswith(f"#include <{header}") and str(path.relative_to(SRC)) != home:
                    problems.append(f"{place}: only {home} may include <{header}...>: {line}")
            if room in PURE and CLOCKS.search(line.split("//")[0]):
                problems.append(f"{place}: the pure room {room} asks a clock, the environment or chance: {line.strip()}")


def check_heavy():
    for header, most in HEAVY.items():
        users = [p for p in sources("*.[ch]pp") if f"#include <{header}" in p.read_text()]
        if len(users) > most * 3:
            problems.append(f"<{header}...> is included by {len(users)} files: {', '.join(str(u.relative_to(SRC)) for u in users)}")
        for user in users:
            if user.suffix == ".hpp" and "compat" not in user.name and user.name not in ("table.hpp",):
                print(f"  note: {user.relative_to(SRC)} brings <{header}> to whoever includes it")


def check_headers_alone():
    """One compiler run for all: each header twice in a unit of its own shows both a missing include and a missing guard."""
    flags = ["-std=c++23", "-D_GNU_SOURCE", "-fsyntax-only", "-I", str(SRC), "-I", str(ROOT / "build/src"), "-x", "c++"]
    packages = subprocess.run(["pkg-config", "--cflags", "libnl-3.0", "sdbus-c++", "libsystemd", "fmt"], capture_output=True, text=True)
    flags += packages.stdout.split()
    generated = list((ROOT / "build/src").rglob("*.h")) + list((ROOT / "build/src").rglob("*.hpp"))
    flags += sorted({f"-I{p.parent}" for p in generated})
    headers = [h for h in sources("*.hpp") if h.relative_to(SRC).parts[0] in PURE | {"kernel", "ipc", "daemon", "prober", "runner"}]
    texts = [(h, f'#include "{h.relative_to(SRC)}"\n#include "{h.relative_to(SRC)}"\n') for h in headers]
    running = []
    for header, text in texts:
        if len(running) == 2:
            finish(*running.pop(0))
        child = subprocess.Popen(["g++", *flags, "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        child.stdin.write(text)
        child.stdin.close()
        child.stdin = None
        running.append((header, child))
    for pair in running:
        finish(*pair)
    print(f"  {len(headers)} headers compiled alone")


def finish(header: pathlib.Path, child: subprocess.Popen):
    _, errors = child.communicate()
    if child.returncode:
        problems.append(f"{header.relative_to(ROOT)} does not compile alone:\n{errors[:1500]}")


def check_directives():
    tool = ROOT / "build/src/config/holdfast-directives"
    documented = ROOT / "docs/directives.md"
    if not tool.exists():
        problems.append(f"{tool} is not built: run ./dev build")
        return
    wanted = subprocess.run([str(tool)], capture_output=True, text=True).stdout
    if not documented.exists() or documented.read_text() != wanted:
        problems.append("docs/directives.md is out of date: build/src/config/holdfast-directives > docs/directives.md")


def report():
    files = sorted(((len(p.read_text().splitlines()), p) for p in sources("*.[ch]pp")), reverse=True)
    total = sum(n for n, _ in files)
    print(f"  {len(files)} files, {total} lines, half of them below {files[len(files) // 2][0]}; the longest: "
          + ", ".join(f"{p.relative_to(SRC)} {n}" for n, p in files[:5]))
    functions = []
    for _, path in files:
        begin, name = None, ""
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.match(r"^[A-Za-z].*\)( const)?( noexcept)? \{$", line):
                begin, name = number, line
            elif line == "}" and begin:
                functions.append((number - begin, f"{path.relative_to(SRC)}:{begin}"))
                begin = None
    functions.sort(reverse=True)
    print("  longest functions: " + ", ".join(f"{place} {n}" for n, place in functions[:5]))


def main() -> int:
    check_includes()
    check_heavy()
    check_directives()
    check_headers_alone()
    report()
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problem(s)")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
