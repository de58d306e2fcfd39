"""A bug in the stack is caught by the collection of captures, and `transom shrink` makes the capture that shows it small: as a capture, and
as a test of GoogleTest, which stands in tests/unit."""

import json

from harness import BUILD, ROOT, TRANSOM, check, run, test, work

# The command with a stack that lets any reset in the window end the connection (tests/planted).
PLANTED = BUILD / "bin" / "transom_planted"
CASE = ROOT / "captures" / "attack-blind-reset" / "input.pcapng"
RULE = "rfc5961-3.2-reset-accepted"


@test(timeout=120)
def a_planted_bug_is_caught_by_the_suite():
    report = json.loads(run(PLANTED, "replay-suite", ROOT / "captures", "--json", "-j", "2", expect=1))
    failed = {case["name"]: case for case in report["cases"] if case["status"] == "failed"}
    check("attack-blind-reset" in failed, f"it is not caught: {sorted(failed)}")
    messages = " ".join(check_["message"] for check_ in failed["attack-blind-reset"]["checks"] if not check_["holds"])
    check(RULE in messages, f"the rule is not named: {messages}")
    check(all(name.startswith("attack-") for name in failed), f"others fail as well: {sorted(failed)}")
    run(TRANSOM, "replay-suite", ROOT / "captures", "--only", "attack-*")


@test()
def a_planted_bug_is_shrunk_to_six_packets():
    small, source = work() / "small.pcap", work() / "small_test.cpp"
    shown = run(PLANTED, "shrink", CASE, "--as", "server", "-w", small, "--test", source)
    check(f"violation {RULE} by the stack" in shown, shown)
    packets = run(TRANSOM, "dump", "-nr", small).splitlines()
    check(len(packets) <= 6, f"{len(packets)} packets: {packets}")
    # It still shows the bug, by itself, and nothing else is wrong with it.
    check("RFC 5961 §3.2" in run(PLANTED, "replay", small, "--as", "server", "-w", work() / "happened.pcapng", expect=1), "the small capture does not show it")
    run(TRANSOM, "shrink", small, "--as", "server", expect=1)
    judged = json.loads(run(TRANSOM, "judge", "--json", "--at", "192.0.2.2", work() / "happened.pcapng", expect=1))
    check(RULE in [finding["rule"] for finding in judged["findings"]], judged["findings"])
    # The test for the unit tests is the one that is there.
    kept = ROOT / "tests" / "unit" / "drivers" / "shrink" / "reset_accepted_test.cpp"
    check(source.read_text(encoding="utf-8") == kept.read_text(encoding="utf-8"),
          f"{kept} is another test now; made anew by: {PLANTED} shrink {CASE} --as server --test {kept}")


@test()
def a_finding_of_the_judge_is_shrunk():
    capture, small = ROOT / "captures" / "attack-blind-data" / "input.pcapng", work() / "small.pcap"
    shown = run(TRANSOM, "shrink", capture, "--rule", "rfc9293-3.8.1-retransmission-differs", "-w", small, "--test", "-")
    check("TEST(Shrunk, Rfc9293381RetransmissionDiffers)" in shown, shown)
    judged = json.loads(run(TRANSOM, "judge", "--json", small, expect=1))
    check(judged["packets"] <= 6 and judged["findings"][0]["rule"] == "rfc9293-3.8.1-retransmission-differs", "not shrunk, or not the same")
    check("no rule is called x" in run(TRANSOM, "shrink", capture, "--rule", "x", expect=2), "an unknown rule")
    check("--as" in run(TRANSOM, "shrink", capture, "--as", "nobody", expect=2), "an end that is none")
    check("nothing is found" in run(TRANSOM, "shrink", ROOT / "captures" / "nc" / "input.pcapng", "--rule", RULE, expect=1), "something is found in nc")
