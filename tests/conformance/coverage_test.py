#!/usr/bin/env python3
"""The rules of coverage.py: each of them can fail."""

import json
import pathlib
import tempfile
import unittest

import coverage


def row(**fields):
    base = dict(id="X-1", rfc="9293", section="3.1", level="MUST", layer="tcp", requirement="Do it", status="done",
                where="README.md", tests="Suite.Test", note="", line="tcp.csv:2: X-1")
    return base | fields


class Rows(unittest.TestCase):
    def problems(self, *rows):
        return coverage.check_rows(rows, coverage.ROOT)

    def test_a_good_row_is_fine(self):
        self.assertEqual(self.problems(row()), [])

    def test_what_is_wrong_is_told(self):
        for change, word in [(dict(level="PERHAPS"), "level"), (dict(status="nearly"), "status"), (dict(where="no/such.cpp"), "no such file"),
                             (dict(where=""), "names no file"), (dict(tests=""), "no test proves"), (dict(requirement=""), "nothing"),
                             (dict(status="different"), "note"), (dict(status="open"), "note"), (dict(status="not-applicable"), "note")]:
            with self.subTest(change):
                self.assertIn(word, " ".join(self.problems(row(**change))))

    def test_ids_are_unique(self):
        self.assertIn("used twice", " ".join(self.problems(row(), row())))

    def test_the_file_is_read_strictly(self):
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            head = ",".join(coverage.COLUMNS)
            (directory / "tcp.csv").write_text(f"{head}\nX-1,9293,3.1,MUST,udp,Do it,open,,,why\nX-2,9293\n")
            (directory / "soup.csv").write_text(head + "\n")
            text = " ".join(coverage.read_table(directory)[1])
        for word in ("no such layer", "in the table of tcp", "does not have"):
            self.assertIn(word, text)


class Attacks(unittest.TestCase):
    def problems(self, *changes):
        base = dict(id="ATK-X-01", name="Ping of Death", year="1996", layer="ipv4", input="A long one", expectation="Drop it", status="done",
                    tests="Suite.Test", note="", line="attacks.csv:2: ATK-X-01")
        return " ".join(coverage.check_attacks([base | change for change in changes]))

    def test_are_held_to_the_same_rules(self):
        self.assertEqual(self.problems({}), "")
        for change, word in [(dict(layer="soup"), "no such layer"), (dict(status="nearly"), "status"), (dict(tests=""), "no test proves"),
                             (dict(status="open"), "note"), (dict(input=""), "does not say"), (dict(expectation=""), "does not say")]:
            with self.subTest(change):
                self.assertIn(word, self.problems(change))
        self.assertIn("used twice", self.problems({}, {}))

    def test_their_table_is_no_layer(self):
        with tempfile.TemporaryDirectory() as name:
            path = pathlib.Path(name) / coverage.ATTACKS
            path.write_text(",".join(coverage.ATTACK_COLUMNS) + "\nATK-X-01,Ping\n")
            self.assertEqual(coverage.read_table(pathlib.Path(name)), ([], []))
            self.assertIn("does not have", " ".join(coverage.read_file(path, coverage.ATTACK_COLUMNS)[1]))

    def test_are_shown_by_layer(self):
        row = dict(id="ATK-X-01", name="a | b", year="", layer="ipv4", input="in", expectation="out", status="done", tests="Suite.Test", note="")
        text = coverage.attack_document([row])
        self.assertIn("## ipv4", text)
        self.assertIn("a \\| b", text)
        self.assertNotIn("## tcp", text)


class Tests(unittest.TestCase):
    def problems(self, a_row, of, partial=False, expected=(), existing=("Suite.Test", "interop/nc/scan/4", "interop/nc/scan/6")):
        results = coverage.Results()
        results.of.update(of)
        return " ".join(coverage.check_tests([a_row], set(existing), results, expected, partial))

    def test_must_exist_run_and_pass(self):
        self.assertEqual(self.problems(row(), {"Suite.Test": "passed"}), "")
        self.assertIn("failed", self.problems(row(), {"Suite.Test": "failed"}))
        self.assertIn("failed", self.problems(row(), {"Suite.Test": "failed"}, partial=True))
        self.assertIn("did not run", self.problems(row(), {}))
        self.assertEqual(self.problems(row(), {}, partial=True), "")
        self.assertIn("no such test", self.problems(row(tests="Suite.Other"), {}, partial=True))
        self.assertIn("skipped", self.problems(row(), {"Suite.Test": "skipped"}))

    def test_real_programs_are_named_with_all_their_variants(self):
        both = row(tests="interop/nc/scan")
        self.assertEqual(self.problems(both, {"interop/nc/scan/4": "passed", "interop/nc/scan/6": "passed"}), "")
        self.assertIn("failed", self.problems(both, {"interop/nc/scan/4": "passed", "interop/nc/scan/6": "failed"}))

    def test_an_expected_failure_belongs_to_an_open_row(self):
        self.assertIn("expected failure", self.problems(row(), {}, expected=("Suite.Test",)))
        self.assertEqual(self.problems(row(status="open"), {}, expected=("Suite.Test",)), "")

    def test_the_worst_instance_counts(self):
        log = {"testsuites": [{"name": "Both/Suite", "testsuite": [
            {"name": "Test/v4", "status": "RUN", "result": "COMPLETED"},
            {"name": "Test/v6", "status": "RUN", "result": "COMPLETED", "failures": [{"failure": "no"}]},
            {"name": "Off/v4", "status": "NOTRUN", "result": "SUPPRESSED"}]}]}
        with tempfile.TemporaryDirectory() as name:
            path = pathlib.Path(name) / "log.json"
            path.write_text(json.dumps(log))
            results = coverage.Results()
            results.add_gtest(path)
        self.assertEqual(results.of, {"Suite.Test": "failed"})

    def test_names_are_those_of_the_source(self):
        self.assertEqual(coverage.plain_name("Both/Suite", "Test/v4"), "Suite.Test")
        self.assertEqual(coverage.plain_name("Suite/0", "Test"), "Suite.Test")
        self.assertEqual(coverage.plain_name("Suite", "Test"), "Suite.Test")

    def test_verdicts_of_real_programs(self):
        results = coverage.Results()
        results.add_interop("PASS  interop/a/4  (1.0 s)\n      | text\nFAIL  interop/b  (2.0 s)\nSKIP  interop/c  (0.1 s)\n")
        self.assertEqual(results.of, {"interop/a/4": "passed", "interop/b": "failed", "interop/c": "skipped"})


class ExpectedFailures(unittest.TestCase):
    def test_have_a_reason_and_an_open_row(self):
        text = " ".join(coverage.check_expected_failures({"Suite.Gone": ""}, set(), [row()], "/bin/false"))
        for word in ("no reason", "no open row", "does not exist"):
            self.assertIn(word, text)

    def test_that_fail_are_fine_and_those_that_pass_are_told(self):
        rows = [row(status="open", tests="Suite.Test", note="why")]
        self.assertEqual(coverage.check_expected_failures({"Suite.Test": "why"}, {"Suite.Test"}, rows, "/bin/false"), [])
        with tempfile.TemporaryDirectory() as name:
            program = pathlib.Path(name) / "passes"
            log = '{"testsuites":[{"name":"Suite","testsuite":[{"name":"Test","status":"RUN","result":"COMPLETED"}]}]}'
            program.write_text(f"#!/bin/sh\nfor last; do :; done\necho '{log}' >\"${{last#*json:}}\"\n")
            program.chmod(0o755)
            text = " ".join(coverage.check_expected_failures({"Suite.Test": "why"}, {"Suite.Test"}, rows, program))
        self.assertIn("passes now", text)


class Document(unittest.TestCase):
    def test_counts_and_escapes(self):
        text = coverage.document([row(requirement="a | b < c"), row(id="X-2", status="open", note="later")])
        self.assertIn("a \\| b &lt; c", text)
        self.assertIn("| all | 2 | 1 | 0 | 0 | 1 | 1 |", text)
        self.assertIn("https://www.rfc-editor.org/rfc/rfc9293#section-3.1", text)


if __name__ == "__main__":
    unittest.main()
