"""`transom replay-suite`: its outcome, its files and its exit codes."""

import json
import shutil
import xml.etree.ElementTree as xml

from harness import ROOT, TRANSOM, check, run, test, work


def suite():
    """A suite of three cases: one that passes, one that does not, one that is skipped."""
    folder = work() / "suite"
    for name, expected in (("good", "count = 1"), ("wrong", "count = 2")):
        case = folder / name
        case.mkdir(parents=True)
        shutil.copy(ROOT / "captures" / "tcp-handshake-ipv4" / "input.pcapng", case)
        (case / "case.toml").write_text(f'[[expect]]\nof = "packets"\nwhere = {{ flags = "S" }}\n{expected}\n', encoding="utf-8")
    shutil.copytree(folder / "good", folder / "absent")
    (folder / "absent" / "case.toml").write_text('[requires]\nfeatures = ["telepathy"]\n', encoding="utf-8")
    return folder


@test()
def says_what_passed_failed_and_was_skipped():
    shown = run(TRANSOM, "replay-suite", suite(), expect=1)
    check("failed   wrong" in shown and "1 of 12 packets match, expected count = 2" in shown, shown)
    check("skipped  absent: this transom has no 'telepathy'" in shown, shown)
    check("1 passed, 1 failed, 1 skipped" in shown, shown)
    check("1 passed, 0 failed\n" in run(TRANSOM, "replay-suite", work() / "suite", "--only", "g*"), "a case that passes is no failure")


@test()
def writes_json_and_junit():
    folder = suite()
    report = json.loads(run(TRANSOM, "replay-suite", folder, "--json", "--junit", work() / "out.xml", expect=1))
    check((report["passed"], report["failed"], report["skipped"]) == (1, 1, 1), report)
    check([case["name"] for case in report["cases"]] == ["absent", "good", "wrong"], report)
    suites = xml.parse(work() / "out.xml").getroot()
    check([one.get("name") for one in suites] == ["absent", "good", "wrong"], "the suites of the XML")
    check(len(suites.findall(".//failure")) == 1 and len(suites.findall(".//skipped")) == 1, "failures and skips of the XML")


@test()
def two_runs_of_the_collection_give_the_same_octets():
    outputs = []
    for jobs in (1, 7):
        path = work() / f"{jobs}.xml"
        outputs.append(run(TRANSOM, "replay-suite", ROOT / "captures", "--json", "-j", jobs, "--junit", path) + path.read_text(encoding="utf-8"))
    check(outputs[0] == outputs[1], "they differ")


@test()
def drafts_a_case_that_passes():
    shown = run(TRANSOM, "replay-suite", "new", work() / "drafts" / "first", ROOT / "captures" / "tcp-loss-random" / "input.pcapng.zst")
    check("case.toml" in shown, shown)
    check(sorted(path.name for path in (work() / "drafts" / "first").iterdir()) == ["README.md", "case.toml", "input.pcapng.zst"], "its files")
    check("1 passed" in run(TRANSOM, "replay-suite", work() / "drafts"), "the draft does not pass")
    check("exists already" in run(TRANSOM, "replay-suite", "new", work() / "drafts" / "first", ROOT / "captures" / "nc" / "input.pcapng", expect=2), "overwritten")


@test()
def puts_the_stack_in_the_place_of_an_end():
    folder = work() / "suite" / "one"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "captures" / "tcp-loss-tail" / "input.pcapng", folder)
    wanted = '[[expect]]\nof = "events"\nwhere = { event = "tcp_send", reason = "TailLossProbe" }\n'
    (folder / "case.toml").write_text('[replay]\nstack = "client"\n' + wanted, encoding="utf-8")
    shown = run(TRANSOM, "replay-suite", folder.parent, "-v")
    check("the application reads the same octets" in shown and "1 passed" in shown, shown)
    # Between the recording and this stack something differs, if only when it acknowledges.
    (folder / "case.toml").write_text('[replay]\nstack = "client"\nfail_on = "any"\n', encoding="utf-8")
    shown = run(TRANSOM, "replay-suite", folder.parent, expect=1)
    check("legal: " in shown and "recorded " in shown, shown)
    (folder / "case.toml").write_text(wanted, encoding="utf-8")
    check("there are events only of a case with [replay]" in run(TRANSOM, "replay-suite", folder.parent, expect=2), "events without a replay")
    (folder / "case.toml").write_text('[replay]\nstack = "10.1.2.3"\n', encoding="utf-8")
    check("none of its flows has such an end" in run(TRANSOM, "replay-suite", folder.parent, expect=1), "a stack in nobody's place")


@test()
def holds_what_the_judge_finds_against_the_case():
    folder = work() / "suite" / "one"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "captures" / "attack-data-offset" / "input.pcapng", folder)
    (folder / "case.toml").write_text("", encoding="utf-8")
    shown = run(TRANSOM, "replay-suite", folder.parent, expect=1)
    check("nobody breaks a rule" in shown and "192.0.2.66: data offset 0" in shown, shown)
    (folder / "case.toml").write_text('[judge]\nviolations_by = ["192.0.2.66"]\n[[expect]]\nof = "findings"\nwhere = { rule = "rfc9293-3.1-malformed" }\n', encoding="utf-8")
    check("1 passed" in run(TRANSOM, "replay-suite", folder.parent), "what is expected is held against the case")


@test()
def says_what_is_wrong_with_a_case():
    folder = work() / "suite" / "one"
    folder.mkdir(parents=True)
    for text, expected in (("shows = 1\n", "case.toml:1: shows takes a string"), ("[[expect]]\nof = 'packets'\ncont = 1\n", "case.toml:3: 'cont' is not known"),
                           ("input = '../../etc/passwd'\n", "input is a file in the folder of the case"), ("a = \n", "case.toml:1: "),
                           ("[replay]\nfail_on = 'sight'\n", "there are violation, unknown, any")):
        (folder / "case.toml").write_text(text, encoding="utf-8")
        shown = run(TRANSOM, "replay-suite", folder.parent, expect=2)
        check(expected in shown and shown.count("transom: ") == 1, f"{text}: {shown}")
    (folder / "case.toml").write_text("", encoding="utf-8")
    check("the capture can be read" in run(TRANSOM, "replay-suite", folder.parent, expect=1), "a case without a capture passes")
    for words, expected in ((["nowhere"], "nowhere"), ([folder.parent, "--only", "x"], "none of the 1 cases"), ([], "directory")):
        shown = run(TRANSOM, "replay-suite", *words, expect=2)
        check(expected in shown, f"{words}: {shown}")
