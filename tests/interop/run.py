#!/usr/bin/env python3
"""Runs the tests with real programs: every function marked with @test in tests/interop/*_test.py, each in a network namespace of its
own and a process of its own. Prints PASS, FAIL or SKIP for each, and keeps what they print in build/interop.

    tests/interop/run.py [-k REGEX] [-j N] [--quick | --all] [--list]
"""

import argparse
import importlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402

SKIPPED = 77


def load():
    for module in sorted(pathlib.Path(__file__).resolve().parent.glob("*_test.py")):
        importlib.import_module(module.stem)
    return harness.TESTS


def run_here(name):
    """In the namespace: runs one test."""
    found = next(entry for entry in load() if entry["name"] == name)
    harness.run("ip", "link", "set", "lo", "up")
    try:
        found["function"](*found["arguments"])
        harness.check_captures(found["provokes"])
    except harness.Failed as failure:
        print(f"failed: {failure}")
        return 1
    except harness.Skipped as reason:
        print(f"skipped: {reason}")
        return SKIPPED
    except subprocess.TimeoutExpired as late:
        print(f"failed: {late}")
        return 1
    except Exception:  # a mistake in the test counts as its failure
        traceback.print_exc()
        return 1
    return 0


def run_in_namespace(entry, say):
    directory = harness.LOGS / entry["name"].removeprefix("interop/").replace("/", "-").replace(" ", "_")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    # The address of a control socket has room for 107 octets, wherever the build is.
    with tempfile.TemporaryDirectory(prefix="transom-") as control_sockets:
        run_with(entry, directory, control_sockets, say)


def run_with(entry, directory, control_sockets, say):
    environment = dict(os.environ, TRANSOM_TEST_DIRECTORY=str(directory), XDG_RUNTIME_DIR=control_sockets)
    environment.pop("TRANSOM_HOST", None)
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    # When the test ends, so does everything that it has started: it is all in one PID namespace.
    command = unshare + ["--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, __file__, "--one", entry["name"]]
    log = directory / "log"
    begin = time.monotonic()
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment,
                                   start_new_session=True)
        try:
            status = process.wait(entry["timeout"])
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            status = 1
            out.write(f"\nfailed: not done after {entry['timeout']} s\n".encode())
    verdict = {0: "PASS", SKIPPED: "SKIP"}.get(status, "FAIL")
    lines = log.read_text(errors="replace").splitlines() if verdict != "PASS" else []
    say(verdict, entry["name"], time.monotonic() - begin, lines[-1:] if verdict == "SKIP" else lines[-25:], log)
    if verdict == "PASS":
        for large in directory.rglob("*"):
            if large.is_file() and large.stat().st_size > 64 << 20:
                large.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", metavar="REGEX", default="", help="only tests whose name matches")
    parser.add_argument("-j", type=int, default=4, help="tests at once (4: they wait more than they work)")
    parser.add_argument("--quick", action="store_true", help="leave out the long ones")
    parser.add_argument("--all", action="store_true", help="with those that take minutes")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return run_here(options.one)

    tests = [entry for entry in load() if re.search(options.k, entry["name"]) and not (options.quick and entry["long"]) and
             (options.all or not entry["minutes"])]
    if options.list:
        print("\n".join(entry["name"] for entry in tests))
        return 0
    if not harness.TRANSOM.exists():
        print(f"{harness.TRANSOM} is missing; build it: cmake --preset release && cmake --build --preset release", file=sys.stderr)
        return 3

    lock = threading.Lock()
    verdicts = []

    def say(verdict, name, seconds, lines, log):
        with lock:
            verdicts.append(verdict)
            print(f"{verdict}  {name}  ({seconds:.1f} s)", flush=True)
            for line in lines:
                print(f"      | {line}", flush=True)
            if verdict == "FAIL":
                print(f"      all of it: {log}", flush=True)

    # The long ones first, so that the last to end is a short one.
    with ThreadPoolExecutor(options.j) as pool:
        for entry in sorted(tests, key=lambda entry: -entry["timeout"]):
            pool.submit(run_in_namespace, entry, say)
    passed, failed, skipped = (verdicts.count(word) for word in ("PASS", "FAIL", "SKIP"))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
