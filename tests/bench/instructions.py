#!/usr/bin/env python3
"""Counts the instructions of fixed work, by callgrind, and compares them with what is written down.

    tests/bench/instructions.py [--write] [--profile]

What is counted are the instructions of our own code in build/release/bin/instructions: not those of libc, and not the
checksum, of which there are variants for different processors. They repeat exactly. A change of more than 3 % from
tests/bench/instructions.json fails; who can explain it writes the new numbers down with --write. --profile shows where
they go.
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build/release/bin/instructions"
RECORD = ROOT / "tests/bench/instructions.json"
TOLERANCE = 0.03
VARIANT = re.compile(r"\[clone \.(avx2|default)")


def count(scenario):
    """Instructions by function."""
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory) / "callgrind.out"
        subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--toggle-collect=counted_work",
             "--compress-strings=no", "--compress-pos=no", str(PROGRAM), scenario],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return parse(out.read_text())


def parse(text):
    costs = collections.Counter()
    ours, function, skip = False, "", False
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key == "ob":
            ours = value == str(PROGRAM)
        elif key == "fn":
            function = value
        elif key == "calls":
            skip = True  # the next line is what the called cost
        elif line[:1].isdigit():
            if not skip and ours and not VARIANT.search(function):
                costs[function] += int(line.split()[1])
            skip = False
    return costs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the numbers down")
    parser.add_argument("--profile", action="store_true", help="show the functions that take most")
    arguments = parser.parse_args()

    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    names = ["bulk-mtu-1500", "bulk-super-frames", "connections", "request-response"]
    counted, differs = {}, False
    for name in names:
        costs = count(name)
        counted[name] = sum(costs.values())
        before = recorded.get(name)
        change = counted[name] / before - 1 if before else float("inf")
        differs |= abs(change) > TOLERANCE
        print(f"{name:20} {counted[name]:>12,}   {change:+.1%} of what is written down" if before
              else f"{name:20} {counted[name]:>12,}   new")
        if arguments.profile:
            for function, cost in costs.most_common(25):
                print(f"    {cost / counted[name]:6.1%}  {function[:150]}")
    if arguments.write:
        RECORD.write_text(json.dumps(counted, indent=2) + "\n")
        return 0
    if differs:
        print("more than 3 % away: say why, and write it down with tests/bench/instructions.py --write")
    return 1 if differs else 0


if __name__ == "__main__":
    sys.exit(main())
