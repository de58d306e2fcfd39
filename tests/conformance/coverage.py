#!/usr/bin/env python3
"""Holds the tables of requirements (tests/conformance/LAYER.csv) and of published attacks (tests/conformance/attacks.csv) against the
sources and the tests, and writes docs/rfc-coverage.md and docs/attacks.md.

    tests/conformance/coverage.py                     write docs/rfc-coverage.md and docs/attacks.md
    tests/conformance/coverage.py --check             fail when a row is wrong, a test of it is missing, did not run or did not pass,
                                                      an expected failure passes, or a document is out of date
    tests/conformance/coverage.py --check --partial   the same, but a test that did not run is no failure (it must still exist)
    tests/conformance/coverage.py --gtest-filter      print the filter that leaves the expected failures out

What ran is read from where tests/run.sh leaves it: build/logs/*.json of GoogleTest and build/logs/interop.log. What exists is asked of
the test programs in build/debug/bin and build/release/bin and of tests/interop/run.py.
"""

import argparse
import collections
import csv
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLUMNS = ["id", "rfc", "section", "level", "layer", "requirement", "status", "where", "tests", "note"]
ATTACK_COLUMNS = ["id", "name", "year", "layer", "input", "expectation", "status", "tests", "note"]
ATTACKS = "attacks.csv"
LAYERS = ["ethernet", "arp", "ipv4", "ipv6", "icmp", "ndp", "igmp-mld", "udp", "tcp", "dhcp", "dns", "sockets"]
LEVELS = ["MUST", "SHOULD", "MAY"]
STATUSES = ["done", "not-applicable", "different", "open"]


# ---------------------------------------------------------------- the table

def read_table(directory):
    """The rows of every layer in order, and what is wrong with them as text."""
    rows, problems = [], []
    for path in directory.glob("*.csv"):
        if path.stem not in LAYERS and path.name != ATTACKS:
            problems.append(f"{path.name}: no such layer; known are {', '.join(LAYERS)}")
    for layer in LAYERS:
        members, wrong = read_file(directory / f"{layer}.csv", COLUMNS)
        rows += members
        problems += wrong
        problems += [f"{row['line']}: layer {row['layer']!r} in the table of {layer}" for row in members if row["layer"] != layer]
    return rows, problems


def read_file(path, columns):
    """The rows of one file, each with its place as `line`, and what is wrong with them as text."""
    rows, problems = [], []
    if not path.exists():
        return rows, problems
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, strict=True)
        if reader.fieldnames != columns:
            return rows, [f"{path.name}: its first line must be {','.join(columns)}"]
        for row in reader:
            row["line"] = f"{path.name}:{reader.line_num}: {row['id']}"
            if None in row or None in row.values():
                problems.append(f"{row['line']} does not have {len(columns)} fields")
            else:
                rows.append(row)
    return rows, problems


def check_rows(rows, root):
    """What is wrong with the rows by themselves."""
    problems, seen = [], set()
    for row in rows:
        say = lambda text: problems.append(f"{row['line']}: {text}")  # noqa: E731
        check_standing(row, seen, say)
        if row["level"] not in LEVELS:
            say(f"level {row['level']!r} is none of {', '.join(LEVELS)}")
        if not row["requirement"]:
            say("says nothing")
        for name in row["where"].split():
            if not (root / name).is_file():
                say(f"no such file: {name}")
        if row["status"] == "done" and not row["where"]:
            say("is done, but 'where' names no file that does it")
    return problems


def check_attacks(rows):
    """The same for the attacks."""
    problems, seen = [], set()
    for row in rows:
        say = lambda text: problems.append(f"{row['line']}: {text}")  # noqa: E731
        check_standing(row, seen, say)
        if row["layer"] not in LAYERS:
            say(f"no such layer: {row['layer']!r}")
        if not row["input"] or not row["expectation"]:
            say("does not say what comes in and what is to come out")
    return problems


def check_standing(row, seen, say):
    """What both tables have: a name, a status, and what that rests on."""
    if row["id"] in seen:
        say("this id is used twice")
    seen.add(row["id"])
    if row["status"] not in STATUSES:
        say(f"status {row['status']!r} is none of {', '.join(STATUSES)}")
    if row["status"] == "done" and not row["tests"]:
        say("is done, but no test proves it")
    if row["status"] in ("different", "not-applicable", "open") and not row["note"]:
        say(f"is {row['status']}, and the note does not say why")


# ---------------------------------------------------------------- what exists and what ran

def plain_name(suite, name):
    """Suite.Name as in the source: without the prefix of an instance and the numbers of its parameters."""
    parts = [part for part in suite.split("/") if not part.isdigit()]
    return f"{parts[-1]}.{name.split('/')[0]}"


def listed_tests(binary):
    out = subprocess.run([binary, "--gtest_list_tests"], capture_output=True, text=True, check=True).stdout
    suite, names = "", set()
    for line in out.splitlines():
        line = line.split("#")[0]
        if line.startswith("  "):
            names.add(plain_name(suite, line.strip()))
        elif line.rstrip().endswith("."):
            suite = line.strip()[:-1]
    return names


class Results:
    """How each test ended: 'passed', 'failed' or 'skipped'; the worst of all its instances. What did not run is absent."""

    RANK = {"skipped": 0, "passed": 1, "failed": 2}

    def __init__(self):
        self.of = {}

    def add(self, name, result):
        if self.RANK[result] >= self.RANK.get(self.of.get(name), -1):
            self.of[name] = result

    def add_gtest(self, path):
        for suite in json.loads(path.read_text())["testsuites"]:
            for test in suite["testsuite"]:
                if test["status"] != "RUN":
                    continue
                result = "failed" if test.get("failures") else "skipped" if test.get("result") == "SKIPPED" else "passed"
                self.add(plain_name(suite["name"], test["name"]), result)

    def add_interop(self, text):
        words = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}
        for verdict, name in re.findall(r"^(PASS|FAIL|SKIP)  (interop/\S+)", text, re.MULTILINE):
            self.add(name, words[verdict])

    def result(self, name):
        """Of a test, or of all variants of it (interop/nc/scan for interop/nc/scan/4 and /6)."""
        if name in self.of:
            return self.of[name]
        variants = {result for other, result in self.of.items() if name.startswith("interop/") and other.startswith(name + "/")}
        return max(variants, key=self.RANK.get, default=None)


def check_tests(rows, existing, results, expected_failures, partial):
    """What is wrong with the tests that the rows name."""
    problems = []
    for row in rows:
        say = lambda text: problems.append(f"{row['line']}: {text}")  # noqa: E731
        names = row["tests"].split()
        for name in names:
            variants = name.startswith("interop/") and any(other.startswith(name + "/") for other in existing)
            if name not in existing and not variants:
                say(f"no such test: {name}")
            elif name in expected_failures:
                if row["status"] != "open":
                    say(f"is {row['status']}, but {name} is an expected failure")
            elif results.result(name) == "failed":
                say(f"{name} failed")
            elif results.result(name) is None and not partial:
                say(f"{name} did not run")
        if row["status"] == "done" and names and all(results.result(name) == "skipped" for name in names):
            say("all its tests were skipped")
    return problems


def read_expected_failures(path):
    """Name of the test: reason."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    return dict((line.split(None, 1) + [""])[:2] for line in lines if line and not line.startswith("#"))


def filter_of(names):
    return ":".join(pattern for name in names for pattern in (name, f"*/{name}/*", f"{name}/*"))


def check_expected_failures(expected, existing, rows, binary):
    """Each must exist, belong to an open row, have a reason, and still fail."""
    named = {name for row in rows if row["status"] == "open" for name in row["tests"].split()}
    problems = []
    for name, reason in expected.items():
        say = lambda text: problems.append(f"expected_failures.txt: {name} {text}")  # noqa: E731
        if not reason:
            say("has no reason beside it")
        if name not in named:
            say("belongs to no open row")
        if name not in existing:
            say("does not exist")
            continue
        with tempfile.TemporaryDirectory() as directory:
            log = pathlib.Path(directory) / "log.json"
            subprocess.run([binary, f"--gtest_filter={filter_of([name])}", f"--gtest_output=json:{log}"], capture_output=True)
            results = Results()
            if log.exists():  # else it has crashed, which is a way to fail
                results.add_gtest(log)
        if results.of.get(name) == "passed":
            say("passes now: take it off the list and close its row")
    return problems


# ---------------------------------------------------------------- the document

def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def link(row):
    number = row["rfc"]
    if not number.split("/")[0].isdigit():
        return number
    parts = []
    for one in number.split("/"):
        anchor = re.match(r"[0-9.]+[0-9]|[0-9]", row["section"])
        target = f"https://www.rfc-editor.org/rfc/rfc{one}" + (f"#section-{anchor[0]}" if anchor else "")
        parts.append(f"[{one}]({target})")
    return " / ".join(parts) + (f" §{row['section']}" if row["section"] else "")


def counts(title, groups):
    """A table of how many rows of each group have which status."""
    lines = [f"| {title} | rows | done | not applicable | different | open | open MUSTs |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name, rows in groups:
        by_status = collections.Counter(row["status"] for row in rows)
        open_musts = sum(row["status"] == "open" and row["level"] == "MUST" for row in rows)
        numbers = [len(rows)] + [by_status[status] for status in STATUSES] + [open_musts]
        lines.append(f"| {name} | " + " | ".join(str(number) for number in numbers) + " |")
    return lines


def document(rows):
    layers = [(layer, [row for row in rows if row["layer"] == layer]) for layer in LAYERS]
    layers = [(layer, members) for layer, members in layers if members]
    by_rfc = collections.defaultdict(list)
    for row in rows:
        by_rfc[row["rfc"]].append(row)
    in_order = sorted(by_rfc.items(), key=lambda item: (not item[0][0].isdigit(), int(re.match(r"\d*", item[0])[0] or 0), item[0]))
    lines = [
        "# What the RFCs ask for, and what is done",
        "",
        "Generated by `tests/conformance/coverage.py` from the tables in [tests/conformance](../tests/conformance): change those, then run",
        "it. `tests/run.sh -k conformance` checks that every file and test named here exists, and a whole run that every test passed.",
        "",
        "- **done**: the files named do it, the tests named prove it",
        "- **not applicable**: it belongs to something that this stack does not have; the note says to what",
        "- **different**: deliberately not as the RFC has it; the note says why",
        "- **open**: to be done; the note says what is missing",
        "",
        "## By layer",
        "",
        *counts("layer", [(f"[{layer}](#{layer})", members) for layer, members in layers] + [("all", rows)]),
        "",
        "## By RFC",
        "",
        *counts("RFC", in_order),
    ]
    for layer, members in layers:
        lines += ["", f"## {layer}", "", "| id | RFC | level | requirement | status | where | tests | note |", "|---|---|---|---|---|---|---|---|"]
        for row in members:
            files = "<br>".join(f"[{pathlib.Path(name).name}](../{name})" for name in row["where"].split())
            tests = "<br>".join(f"`{name}`" for name in row["tests"].split())
            lines.append(f"| {row['id']} | {link(row)} | {row['level']} | {cell(row['requirement'])} | {row['status'].replace('-', ' ')} | "
                         f"{files} | {tests} | {cell(row['note'])} |")
    return "\n".join(lines) + "\n"


def attack_document(rows):
    layers = [(layer, [row for row in rows if row["layer"] == layer]) for layer in LAYERS]
    lines = [
        "# Published attacks, and what becomes of them",
        "",
        "Generated by `tests/conformance/coverage.py` from [tests/conformance/attacks.csv](../tests/conformance/attacks.csv): change that,",
        "then run it. The words are those of [rfc-coverage.md](rfc-coverage.md): an attack that is **done** has tests that build its packets",
        "and look at what comes of them. In those that attack a whole host on its Ethernet (`attacks_fragments`, `attacks_ip` and",
        "`attacks_control_test.cpp`) an honest TCP connection is served meanwhile and afterwards, and when all timers have run out no buffer is",
        "held that was not held before.",
        "",
        "| layer | attacks | " + " | ".join(status.replace("-", " ") for status in STATUSES) + " |",
        "|---|--:|" + "--:|" * len(STATUSES),
    ]
    for name, members in layers + [("all", rows)]:
        by_status = collections.Counter(row["status"] for row in members)
        if members:
            lines.append(f"| {name} | {len(members)} | " + " | ".join(str(by_status[status]) for status in STATUSES) + " |")
    for layer, members in layers:
        if not members:
            continue
        lines += ["", f"## {layer}", "", "| id | attack | year | input | expected | status | tests | note |", "|---|---|---|---|---|---|---|---|"]
        for row in members:
            tests = "<br>".join(f"`{name}`" for name in row["tests"].split())
            lines.append(f"| {row['id']} | {cell(row['name'])} | {row['year']} | {cell(row['input'])} | {cell(row['expectation'])} | "
                         f"{row['status'].replace('-', ' ')} | {tests} | {cell(row['note'])} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="check instead of write")
    parser.add_argument("--partial", action="store_true", help="only a part of the suite has run")
    parser.add_argument("--gtest-filter", action="store_true", help="print the filter without the expected failures")
    options = parser.parse_args()

    here = ROOT / "tests/conformance"
    binaries = ROOT / "build/debug/bin"
    logs = ROOT / "build/logs"
    expected = read_expected_failures(here / "expected_failures.txt")
    if options.gtest_filter:
        print("-" + filter_of(expected) if expected else "*")
        return 0

    rows, problems = read_table(here)
    attacks, wrong = read_file(here / ATTACKS, ATTACK_COLUMNS)
    problems += check_rows(rows, ROOT) + wrong + check_attacks(attacks)
    pages = {ROOT / "docs/rfc-coverage.md": document(rows), ROOT / "docs/attacks.md": attack_document(attacks)}
    if not options.check:
        for page, text in pages.items():
            page.write_text(text)
        for problem in problems:
            print(problem)
        return 1 if problems else 0

    for page, text in pages.items():
        if not page.exists() or page.read_text() != text:
            problems.append(f"docs/{page.name} is out of date: run tests/conformance/coverage.py")
    existing, results = set(), Results()
    for binary in sorted(binaries.glob("test_*")) + sorted((ROOT / "build/release/bin").glob("test_*")):
        existing |= listed_tests(binary)
    listing = subprocess.run([sys.executable, ROOT / "tests/interop/run.py", "--list"], capture_output=True, text=True, check=True)
    existing |= set(listing.stdout.split())
    for path in sorted(logs.glob("*.json")):
        results.add_gtest(path)
    if (logs / "interop.log").exists():
        results.add_interop((logs / "interop.log").read_text())
    problems += check_tests(rows + attacks, existing, results, expected, options.partial)
    problems += check_expected_failures(expected, existing, rows + attacks, binaries / "test_conformance")
    for problem in problems:
        print(problem)
    for what, members in (("requirements", rows), ("attacks", attacks)):
        by_status = collections.Counter(row["status"] for row in members)
        print(", ".join(f"{by_status[status]} {status}" for status in STATUSES), f"of {len(members)} {what}")
    print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
