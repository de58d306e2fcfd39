#!/usr/bin/env python3
"""Makes the captures of this folder again, each in network namespaces of its own; no other network is touched.

    captures/make.py NAME...       these, with their README.md and case.toml, and the table in captures/README.md
    captures/make.py --all         all of them
    captures/make.py --texts       only the texts
    captures/make.py --check       changes nothing; fails where a folder lacks a file or a text is not what the cases say
    --to DIR                       write below DIR in place of captures/
    -j N                           so many at once
    --list                         the names

Needs root, or user namespaces open to all, and /dev/net/tun; the programs are installed by tests/install_packages.sh. TRANSOM_BUILD says
where the build is whose transom some cases run (build/release).
"""

import argparse
import importlib
import os
import pathlib
import signal
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "making"))
import files  # noqa: E402
import texts  # noqa: E402
from case import CASES  # noqa: E402


def load():
    for module in sorted((HERE / "making").glob("cases_*.py")):
        importlib.import_module(module.stem)


def make_here(case, folder):
    """In the namespace: makes the capture of one case."""
    # This is process 1 of its namespace, which no signal ends unless it is caught.
    signal.signal(signal.SIGALRM, lambda *_: (traceback.print_stack(), os._exit(1)))
    signal.alarm(60)
    if case.lab:
        from lab import Lab
        lab = Lab(at=case.at, routed=case.routed, **case.setting)
        made = case.function(lab)
        lab.end()
        made = lab.frames if made is None else made
    else:
        made = case.function()
    if isinstance(made, list):
        if not made:
            raise RuntimeError("no packet was captured")
        made = sorted(made, key=lambda frame: frame.when)
        nanoseconds = "-ns" in case.form
        made = files.pcapng(made, [(files.ETHERNET, 262144, "eth0")]) if ".pcapng" in case.form else files.pcap(made, nanoseconds=nanoseconds)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / case.form).write_bytes(files.compressed(made, case.form))


def make(case, to):
    """One case, in a network namespace and a PID namespace of its own: when it ends, so does all that it has started."""
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    command = unshare + ["--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, __file__, "--one", case.name, "--to", str(to)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode == 0:
        print(f"made  {case.name}  ({(to / case.name / case.form).stat().st_size} octets)", flush=True)
    else:
        print(f"FAIL  {case.name}: {done.stdout.decode(errors='replace')[-2000:]}", flush=True)
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--texts", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--to", type=pathlib.Path, default=HERE)
    parser.add_argument("-j", type=int, default=4)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    load()
    if options.one:
        make_here(CASES[options.one], options.to / options.one)
        return 0
    if options.list:
        print("\n".join(sorted(CASES)))
        return 0
    if options.check:
        problems = texts.problems(CASES, options.to)
        print("\n".join(problems) or f"{len(CASES)} cases, all in order")
        return 1 if problems else 0
    unknown = [name for name in options.names if name not in CASES]
    if unknown or not (options.names or options.all or options.texts):
        print(f"no such case: {', '.join(unknown)}; --list shows all" if unknown else "which? NAME..., --all, or --list", file=sys.stderr)
        return 2
    wanted = sorted(CASES) if options.all else options.names
    with ThreadPoolExecutor(options.j) as pool:
        good = list(pool.map(lambda name: make(CASES[name], options.to), wanted))
    texts.write(CASES, options.to)
    print(f"{good.count(True)} made, {good.count(False)} failed")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
