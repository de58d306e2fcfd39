#!/usr/bin/env python3
"""Runs the probes on the kernel, through the calls of transom.h, and under `transom run`, and holds what differs against the table in
docs/socket-differences.md: a difference that the table does not have fails, and so does one of the table that is gone.

    tests/probes/compare.py            checks
    tests/probes/compare.py --write    writes the table anew; explanations are kept, and those that are missing must be added then
    tests/probes/compare.py --record   the kernel's answers too (tests/probes/kernel.txt)

What the kernel says is recorded, so that the table does not depend on whose kernel it is: where another kernel answers otherwise, that is
shown and fails nothing.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("TRANSOM_BUILD", ROOT / "build" / "release")).resolve() / "bin"
TABLE = ROOT / "docs" / "socket-differences.md"
RECORD = ROOT / "tests" / "probes" / "kernel.txt"
WAYS = ("kernel", "native", "run")
COMMANDS = {"kernel": [BIN / "probe_kernel"], "native": [BIN / "probe_native"],
            "run": [BIN / "transom", "run", "--", BIN / "probe_kernel"]}
# Ping sockets are open to all there, and the loopback interface is up.
NETWORK = "ip link set lo up && echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range; exec \"$@\""
TRIES = 3  # a machine that is busy may be late; a difference is there each time


def answers(way, names=()):
    """{probe: what it printed}"""
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    command = unshare + ["sh", "-c", NETWORK, "sh"] + [str(word) for word in COMMANDS[way]] + list(names)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False, timeout=300)
    lines = [line.partition(":") for line in done.stdout.splitlines()]
    return {name: text.strip() for name, colon, text in lines if colon}


def read_record():
    lines = RECORD.read_text().splitlines()
    return lines[0], {name: text.strip() for name, _, text in (line.partition(":") for line in lines[1:])}


def words_of(reference, text):
    """The words of both that differ; all of them when there are not as many."""
    ours, theirs = text.split(), reference.split()
    if len(ours) != len(theirs):
        return None
    return [place for place in range(len(ours)) if ours[place] != theirs[place]]


def row(name, kernel, native, run):
    """The cells of the table, or None when nothing differs. `native` is None when the probe is not for it."""
    others = [text for text in (native, run) if text is not None]
    if all(text == kernel for text in others):
        return None
    places = [words_of(kernel, text) for text in others]
    if any(place is None for place in places):
        def cut(text):
            return text
    else:
        shown = sorted(set().union(*places))

        def cut(text):
            return " ".join(text.split()[place] for place in shown)

    def cell(text):
        if text is None:
            return "-"
        return "same" if text == kernel else f"`{cut(text) or 'nothing'}`"
    return (name, f"`{cut(kernel)}`", cell(native), cell(run))


def rows(kernel, native, run, names):
    found = {}
    for name in names:
        cells = row(name, kernel[name], native.get(name) if name in native else None, run.get(name, "nothing"))
        if cells:
            found[name] = cells
    return found


def read_table():
    """{probe: (cells, explanation)}"""
    table = {}
    for line in TABLE.read_text().splitlines() if TABLE.exists() else []:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 5 and cells[0] not in ("probe", "---"):
            table[cells[0]] = (tuple(cells[:4]), cells[4])
    return table


def write_table(found, table, count):
    text = TABLE.read_text() if TABLE.exists() else "# Sockets that differ from the kernel's\n\n"
    head = text.split("\n| probe |")[0]
    head = re.sub(r"\*\*\d+ probes, \d+ differ\*\*", f"**{count} probes, {len(found)} differ**", head)
    lines = [head.rstrip("\n"), "", "| probe | kernel | `transom.h` | `transom run` | why |", "| --- | --- | --- | --- | --- |"]
    for name in sorted(found):
        lines.append("| " + " | ".join(found[name] + (table.get(name, ((), "?"))[1],)) + " |")
    TABLE.write_text("\n".join(lines) + "\n")


def compare(found, table):
    """The probes for which the table does not say what is so."""
    return sorted(name for name in set(found) | set(table) if name not in found or name not in table or found[name] != table[name][0])


def explain(name, found, table, unexplained):
    if name in unexplained:
        return f"{name}: the table gives no reason"
    if name not in found:
        return f"{name}: differs no more, but the table has it: {' | '.join(table[name][0][1:])}"
    there = " | ".join(table[name][0][1:]) if name in table else "nothing"
    return f"{name}: kernel | transom.h | transom run\n    is         {' | '.join(found[name][1:])}\n    table has  {there}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        got = dict(zip(WAYS, pool.map(answers, WAYS)))
    release = "Linux " + ".".join(os.uname().release.split(".")[:2])
    if arguments.record:
        more = [answers("kernel") for _ in range(TRIES - 1)]  # what is said most of the time
        for name, text in got["kernel"].items():
            got["kernel"][name] = statistics.mode([text] + [others.get(name, text) for others in more])
        RECORD.write_text(release + "\n" + "".join(f"{name}: {text}\n" for name, text in sorted(got["kernel"].items())))
    recorded_on, record = read_record()
    names = sorted(record)
    table = read_table()
    if arguments.write or arguments.record:
        write_table(rows(record, got["native"], got["run"], names), table, len(names))
        table = read_table()

    for _ in range(TRIES):
        found = rows(record, got["native"], got["run"], names)
        wrong = compare(found, table)
        others = sorted(name for name in set(names) | set(got["kernel"]) if got["kernel"].get(name) != record.get(name))
        again = sorted(set(wrong) | set(others))
        if not again:
            break
        for way in WAYS:
            got[way].update(answers(way, again))
    for name in others:
        print(f"{name}: this kernel differs from the recorded one\n    {release}: {got['kernel'].get(name)}\n    {recorded_on}: {record.get(name)}")
    unexplained = [name for name in table if table[name][1] in ("", "?")]
    problems = sorted(set(wrong) | set(unexplained) | (set(others) if release == recorded_on else set()))
    for name in sorted(set(wrong) | set(unexplained)):
        print(explain(name, found, table, unexplained if name not in wrong else []))
    print(f"{len(names)} probes, {len(found)} differ from the kernel's, {len(problems)} not as documented")
    return 1 if problems or not names else 0


if __name__ == "__main__":
    sys.exit(main())
