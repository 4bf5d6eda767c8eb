#!/usr/bin/python3
"""Runs the suites, the quick ones first, and counts: the last line is `N passed, N failed, N skipped`.

A suite is a function that yields results; a skip names its reason. `./dev test NAME...` runs some of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
LAB = {"PYTHONPATH": "tests/lab", "HOLDFAST_BUILD": str(BUILD), "PYTHONDONTWRITEBYTECODE": "1"}


@dataclasses.dataclass
class Result:
    name: str
    verdict: str  # passed, failed, skipped
    reason: str = ""


def as_caller(command: list[str]) -> list[str]:
    user = os.environ.get("SUDO_USER", "")
    return ["runuser", "-u", user, "--", *command] if os.geteuid() == 0 and user not in ("", "root") else command


def build(directory: pathlib.Path, options: list[str], environment: dict[str, str] | None = None, targets=()) -> bool:
    """Configures once and compiles; what goes wrong is on the screen."""
    merged = {**os.environ, **(environment or {})}
    if not (directory / "build.ninja").exists():
        done = subprocess.run(as_caller(["env", *(f"{k}={v}" for k, v in (environment or {}).items()), "meson", "setup",
                                         str(directory), str(ROOT), *options]), stdout=subprocess.PIPE, text=True, env=merged)
        if done.returncode:
            print(done.stdout)
            return False
    done = subprocess.run(as_caller(["ninja", "-C", str(directory), *targets]), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        print("\n".join(line for line in done.stdout.splitlines() if not line.startswith("["))[-8000:])
    return done.returncode == 0


# ---- kinds of tests ---------------------------------------------------------------------------------------------------

def gtest(command: list[str], environment: dict[str, str]):
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        done = subprocess.run([*command, f"--gtest_output=json:{report.name}"], capture_output=True, text=True,
                              errors="replace",  # a test may well write what is no UTF-8
                              env={**os.environ, **environment}, timeout=1800)
        name = pathlib.Path(command[0]).name
        try:
            suites = json.loads(pathlib.Path(report.name).read_text())["testsuites"]
        except (json.JSONDecodeError, KeyError):
            print(done.stdout[-4000:], done.stderr[-4000:])
            yield Result(name, "failed", f"it ended with status {done.returncode} and no report")
            return
        failed = False
        for suite in suites:
            for case in suite["testsuite"]:
                full = f"{name}: {suite['name']}.{case['name']}"
                if case.get("result") == "SKIPPED" or case.get("status") == "NOTRUN":
                    yield Result(full, "skipped", " ".join(f["message"].strip().splitlines()[-1] for f in case.get("skipped", [])) or "disabled")
                elif case.get("failures"):
                    failed = True
                    yield Result(full, "failed", case["failures"][0]["failure"])
                else:
                    yield Result(full, "passed")
        if done.returncode != 0 and not failed:
            print(done.stdout[-2000:], done.stderr[-8000:])
            yield Result(name, "failed", f"every test passed, but it ended with status {done.returncode}")


def program(name: str, command: list[str], environment: dict[str, str] | None = None, timeout: float = 1800):
    """One result; status 77 is a skip whose reason is the last line."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, cwd=ROOT, env={**os.environ, **(environment or {})}, timeout=timeout)
    except subprocess.TimeoutExpired:
        yield Result(name, "failed", f"still running after {timeout:.0f} s")
        return
    lines = done.stdout.strip().splitlines()
    if done.returncode == 77:
        yield Result(name, "skipped", lines[-1] if lines else "no reason given")
        return
    for line in lines[-3:] if done.returncode == 0 else lines[-120:]:
        print("   ", line)
    yield Result(name, "passed" if done.returncode == 0 else "failed", "" if done.returncode == 0 else f"status {done.returncode}")


def promises(name: str, command: list[str], environment: dict[str, str], timeout: float = 180):
    """A play whose promises are times, on a machine that others use too: what misses one is played once more, and only what
    misses again is a failure. What breaks otherwise (another status than 1) is not played again."""
    for result in program(name, command, environment, timeout):
        if result.reason == "status 1":
            print(f"  {name} missed a promise: played again", flush=True)
            yield from program(name, command, environment, timeout)
        else:
            yield result


def pytest(folder: str, *extra: str):
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report.name}", str(ROOT / folder), *extra]
        done = subprocess.run(command, cwd=ROOT, text=True, errors="replace", capture_output=True, stdin=subprocess.DEVNULL, timeout=3000,
                              env={**os.environ, "PYTHONPATH": f"{ROOT}/tests/lab", "HOLDFAST_BUILD": str(BUILD),
                                   "PYTHONDONTWRITEBYTECODE": "1"})
        try:
            cases = list(xml.parse(report.name).iter("testcase"))
        except xml.ParseError:
            cases = []
        if done.returncode not in (0,) or not cases:
            print(done.stdout[-12000:], done.stderr[-2000:])
        if not cases:
            yield Result(folder, "failed", f"pytest ended with status {done.returncode} and ran nothing")
        for case in cases:
            name = f"{folder}: {case.get('name')}"
            bad = case.find("failure") if case.find("failure") is not None else case.find("error")
            skip = case.find("skipped")
            if bad is not None:
                yield Result(name, "failed", (bad.get("message") or "").splitlines()[0] if bad.get("message") else "")
            elif skip is not None:
                yield Result(name, "skipped", skip.get("message") or "no reason given")
            else:
                yield Result(name, "passed")


def meson_tests(directory: pathlib.Path, suites: set[str], environment: dict[str, str] | None = None):
    """The tests that meson knows, by suite."""
    known = json.loads(subprocess.run(["meson", "introspect", "--tests", str(directory)], capture_output=True, text=True,
                                      check=True).stdout)
    for test in known:
        if not suites & {suite.rpartition(":")[2] for suite in test["suite"]}:
            continue
        merged = {**test["env"], **(environment or {})}
        if test["protocol"] == "gtest":
            yield from gtest(test["cmd"], merged)
        else:
            yield from program(test["name"], test["cmd"], merged, timeout=test["timeout"] or 1800)


# ---- the suites, in the order of their length ---------------------------------------------------------------------------

def suite_house():
    yield from program("house", [sys.executable, "tests/house/house.py"])
    yield from pytest("tests/house")


def suite_unit():
    yield from meson_tests(BUILD, {"unit"})


def suite_bus():
    yield from meson_tests(BUILD, {"bus"})


def suite_sim():
    yield from meson_tests(BUILD, {"sim", "fuzz"})


def suite_netns():
    yield from pytest("tests/netns", "-m", "not kernel")


def suite_demo():
    for name, options in (("demo", []), ("demo --interval 100ms", ["--interval", "100ms"]), ("demo --ipv6", ["--ipv6"])):
        yield from promises(name, [sys.executable, "tests/lab/demo.py", *options], LAB)


def suite_topologies():
    yield from promises("lab topologies", [sys.executable, "tests/lab/topologies.py"], LAB)


def suite_boot():
    yield from pytest("tests/boot")


# Two machines at a time, one a core: an emulated processor is one thread, and by its clock (-icount) nobody notices the other.
MACHINES = [["tests/netns/test_balancer.py", "tests/netns/test_ipvs_traffic.py", "tests/netns/test_flagship.py"]]
MACHINES.append(["tests/netns", *(f"--ignore={file}" for file in MACHINES[0])])


def suite_container():
    """The image with its unit tests and its size, the units, two hosts with it, and one with a kernel that has ip_vs. The first time it
    is all compiled, which takes long: not in the default list."""
    yield from pytest("tests/container")
    made = list(program("image", [sys.executable, "tests/container/image.py"], timeout=3600))
    yield from made
    if made[0].verdict != "passed":
        return
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as report:
        command = [sys.executable, "tests/container/sidecar.py", "--results", report.name]
        whole = list(promises("lab sidecar", command, LAB, timeout=3600))
        acts = [Result(**json.loads(line)) for line in pathlib.Path(report.name).read_text().splitlines()]
        yield from (dataclasses.replace(act, name=f"sidecar: {act.name}") for act in acts)
        # What came to no end, or to no beginning, is no row.
        yield from (result for result in whole if not acts or (result.verdict == "failed" and all(a.verdict != "failed" for a in acts)))
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as report:
        yield from machine_results("sidecar's machine", boot_machine("tests/container/machine_sidecar.py", report.name), report.name)


def boot_machine(driver: str, report: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, driver, "--results", report, *arguments], cwd=ROOT, text=True,
                            errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                            env={**os.environ, **LAB, "HOLDFAST_CONNECTIONS": "300"})


def machine_results(name: str, machine: subprocess.Popen, report: str):
    try:
        said, _ = machine.communicate(timeout=2700)
    except subprocess.TimeoutExpired:
        machine.kill()
        said, _ = machine.communicate()
    results = [Result(**json.loads(line)) for line in pathlib.Path(report).read_text().splitlines()]
    if machine.returncode == 77:
        yield Result(name, "skipped", said.strip().splitlines()[-1])
        return
    if machine.returncode:
        print(said[-12000:])
        if not any(result.verdict == "failed" for result in results):
            yield Result(name, "failed", f"it ended with status {machine.returncode}")
    for result in results:
        yield dataclasses.replace(result, name=f"{name}: {result.name}")


def suite_vm():
    """What needs Debian's kernel, in virtual machines."""
    with contextlib.ExitStack() as files:
        reports = [files.enter_context(tempfile.NamedTemporaryFile(suffix=".jsonl")).name for _ in MACHINES]
        machines = [boot_machine("tests/vm/machine.py", report, "-m", "kernel", *tests) for tests, report in zip(MACHINES, reports)]
        for machine, report in zip(machines, reports):
            yield from machine_results("vm", machine, report)


def clang_build(directory: pathlib.Path = ROOT / "build-fuzz", targets=()) -> pathlib.Path | None:
    """The pure rooms, once, for two suites: under ASan and UBSan, with what libFuzzer wants to know of their branches. With
    targets: these, of any room."""
    options = ["-Dhardening=false", f"-Dpure_only={'false' if targets else 'true'}", "-Dfuzzers=true", "-Db_lundef=false", "--buildtype=plain",
               "-Dcpp_args=-O1 -gline-tables-only -fsanitize=fuzzer-no-link,address,undefined",
               "-Dcpp_link_args=-fsanitize=address,undefined"]
    return directory if build(directory, options, {"CC": "clang-19", "CXX": "clang++-19"}, targets) else None


def suite_sanitizers():
    """The pure rooms under ASan and UBSan, the threads under TSan."""
    if directory := clang_build():
        halt = {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
        yield from meson_tests(directory, {"unit"}, halt)
        yield from meson_tests(directory, {"scenario"}, halt)
    else:
        yield Result("build with ASan and UBSan", "failed", "it does not compile")
    if build(BUILD, [], targets=["tests/daemon/threads_tsan"]):
        yield from gtest([str(BUILD / "tests/daemon/threads_tsan")], {"TSAN_OPTIONS": "halt_on_error=1"})
    else:
        yield Result("build with TSan", "failed", "it does not compile")


def suite_fuzz():
    """libFuzzer on each target for a while; the corpus alone runs with the unit tests."""
    impure = [f"tests/fuzz/fuzz-{kind}" for kind in ("http", "metrics", "prober")]
    directories = clang_build(), clang_build(ROOT / "build-fuzz-helpers", impure)
    if None in directories:
        yield Result("build with libFuzzer", "failed", "it does not compile")
        return
    for target in sorted(path for each in directories for path in (each / "tests/fuzz").glob("fuzz-*")):
        kind = target.name.removeprefix("fuzz-")
        if target.is_dir() or kind.startswith("corpus"):
            continue
        with tempfile.TemporaryDirectory() as found:
            yield from program(f"fuzz {kind}", [str(target), "-max_total_time=30", "-print_final_stats=1", "-timeout=5",
                                                f"-artifact_prefix={found}/", found, str(ROOT / f"tests/fuzz/corpus/{kind}")],
                               timeout=300)


def suite_mutants():
    yield from program("mutants", ["bash", "tests/mutants/run.sh"], timeout=1500)


# Not in the default list, because of the time they take: `./dev test NAME` runs them.
ON_REQUEST = {"container"}
SUITES = {name.removeprefix("suite_"): function for name, function in list(globals().items()) if name.startswith("suite_")}


def main() -> int:
    chosen = sys.argv[1:] or [name for name in SUITES if name not in ON_REQUEST]
    unknown = [name for name in chosen if name not in SUITES]
    if unknown:
        print(f"there is no suite {', '.join(unknown)}; there are: {', '.join(SUITES)}", file=sys.stderr)
        return 2
    began = time.monotonic()
    results: list[Result] = []
    if build(BUILD, []):
        print(f"built in {(time.monotonic() - began) / 60:.1f} min", flush=True)
    else:
        results.append(Result("build", "failed", "it does not compile"))
        chosen = []
    for name in chosen:
        start = time.monotonic()
        mine = []
        try:
            for result in SUITES[name]():
                mine.append(result)
                if result.verdict != "passed":
                    print(f"  {result.verdict.upper()} {result.name}: {result.reason}", flush=True)
        except Exception as error:  # a broken suite is a failure, and the others still run
            mine.append(Result(name, "failed", f"the suite broke: {error!r}"))
            print(f"  FAILED {name}: {error!r}", flush=True)
        if not mine:
            mine.append(Result(name, "failed", "the suite ran nothing"))
            print(f"  FAILED {name}: it ran nothing", flush=True)
        counts = {verdict: sum(r.verdict == verdict for r in mine) for verdict in ("passed", "failed", "skipped")}
        print(f"{name:12} {counts['passed']:5} passed {counts['failed']:3} failed {counts['skipped']:3} skipped   "
              f"{(time.monotonic() - start) / 60:.1f} min", flush=True)
        results += mine
    totals = [sum(r.verdict == verdict for r in results) for verdict in ("passed", "failed", "skipped")]
    if not sys.argv[1:]:
        print(f"not asked for: {', '.join(sorted(ON_REQUEST))} (./dev test NAME)")
    print(f"all suites: {(time.monotonic() - began) / 60:.1f} min")
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
