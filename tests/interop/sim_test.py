"""What `transom sim` writes, read by tshark: every packet with what was decided about it, and no protocol violation that the scenario
did not cause."""

import collections
import csv
import json
import pathlib
import re
import signal
import subprocess

from harness import ROOT, TRANSOM, check, check_capture, run, test, work

PAIR = """
duration = "{duration}"
seed = 7
[topology]
kind = "pair"
link = {{ rate = "20mbit", delay = "10ms", type = "{type}", {words} }}
[[flow]]
from = "a"
to = "b"
send = "{send}"
{flow}
"""

# Words of the link and of the flow, and what Wireshark may remark. Each capture is that of one interface, so that it sees what a sniffer
# there would see.
SCENARIOS = {
    "clean": ('queue = "pfifo limit 1000"', "", set()),
    "ipv6": ('queue = "pfifo limit 1000"', "ipv6 = true", set()),
    "request-response": ('queue = "pfifo limit 100"', 'response = "20kb"\nrounds = 20\nthink = "5ms"', set()),
    "overflow": ('queue = "pfifo limit 20"', 'congestion_control = "reno"', {"loss"}),
    "loss": ('loss = "2%"', "", {"loss"}),
    "bbr": ('loss = "1%"', 'congestion_control = "bbr"', {"loss"}),
    "marks": ('queue = "codel ecn"', 'congestion_control = "cubic"', {"loss"}),
    "faults": ('fault = ["drop data segment 9", "drop the first retransmission", "duplicate data segment 30", "drop the first syn"]', "",
               {"loss", "duplicate"}),
    # The queue makes the round trip five times as long, which the receiver sees late: its window is the limit for a while.
    "small": ("mtu = 576", "no_delay = true", {"window"}),
}

# Findings of Wireshark's TCP analysis, each with what must have happened for it to be in order. Nothing excuses the others: an ACK of
# what was never seen, a window that is overrun or shrinks, a keep-alive out of turn.
EXCUSED_BY = {
    "retransmission": {"loss", "duplicate"},
    "fast_retransmission": {"loss"},
    "spurious_retransmission": {"loss", "duplicate"},
    "out_of_order": {"loss", "duplicate"},
    "lost_segment": {"loss"},
    "duplicate_ack": {"loss", "duplicate"},
    "window_full": {"window"},
}
NEVER = ["retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order", "lost_segment", "duplicate_ack", "ack_lost_segment",
         "window_full", "zero_window", "zero_window_probe", "keep_alive", "reused_ports"]


def simulate(name, text, *flags):
    scenario = work() / f"{name}.toml"
    scenario.write_text(text)
    return run(TRANSOM, "sim", scenario, *flags)


def interfaces_of(capture):
    shown = run("tshark", "-n", "-r", capture, "-T", "fields", "-e", "frame.interface_name")
    return sorted(set(shown.split("\n")) - {""} - {line for line in shown.split("\n") if "Running" in line})


@test(each=[(name,) for name in SCENARIOS])
def wireshark_finds_nothing_that_the_scenario_did_not_cause(name):
    words, flow, causes = SCENARIOS[name]
    capture = work() / "run.pcapng"
    simulate("run", PAIR.format(duration="30s", type="ethernet", words=words, flow=flow, send="2mb" if "response" not in flow else "300"),
             "--trace", capture)
    check_capture(capture, [])
    interfaces = interfaces_of(capture)
    check(len(interfaces) == 2, f"one interface per node, not {interfaces}")
    for number, interface in enumerate(interfaces):
        one = work() / f"node{number}.pcapng"
        run("tshark", "-n", "-r", capture, "-Y", f'frame.interface_name == "{interface}"', "-w", one)
        fields = [word for finding in NEVER for word in ("-e", f"tcp.analysis.{finding}")]
        found = run("tshark", "-n", "-r", one, "-Y", "tcp.analysis.flags", "-T", "fields", "-e", "frame.number", *fields)
        counts = collections.Counter()
        for line in found.splitlines():
            values = line.split("\t")
            if len(values) != len(NEVER) + 1:
                continue
            counts.update(finding for finding, value in zip(NEVER, values[1:]) if value)
        print(interface, dict(counts))
        for finding, count in counts.items():
            check(EXCUSED_BY.get(finding, set()) & causes, f"{interface}: {count} times {finding}, which nothing in '{name}' causes")


@test()
def wireshark_shows_why_of_a_simulation():
    capture = work() / "run.pcapng"
    lines = work() / "run.jsonl"
    simulate("run", PAIR.format(duration="30s", type="point-to-point", words='loss = "2%"', flow="", send="2mb"), "--trace", capture, "--trace",
             lines)
    shown = run("tshark", "-n", "-r", capture, "-Y", 'frame.comment contains "retransmits"', "-T", "fields", "-e", "frame.comment")
    comments = [line for line in shown.splitlines() if "retransmits" in line]
    events = [json.loads(line) for line in lines.read_text().splitlines()]
    sent_again = [event for event in events if event["event"] == "tcp_send" and event["reason"] != "NewData"]
    check(comments and len(comments) == sum(event["reason"] == "Retransmission" for event in sent_again),
          f"{len(comments)} frames with the comment, {len(sent_again)} sent again")
    check(any(re.search(r"\[RFC \d+ [\d.]+\]", comment) for comment in comments), f"no source in {comments[:1]}")
    # Every kind of event, with an id and an earlier cause of the same host, in the order of time.
    kinds = {event["event"] for event in events}
    wanted = {"packet", "tcp_state", "tcp_negotiated", "tcp_send", "tcp_limit", "tcp_rtt", "tcp_congestion", "tcp_loss", "tcp_recovery",
              "tcp_timer", "tcp_timer_set"}
    check(wanted <= kinds, f"missing: {wanted - kinds}")
    last = collections.Counter()
    for event in events:
        check(event["v"] == 1 and event["id"] == last[event["host"]] + 1 and event["cause"] < event["id"], f"ids are not in order: {event}")
        last[event["host"]] = event["id"]
        check(("rfc" in event) == ("reason" in event and event["event"] != "drop"), f"a reason comes with its source: {event}")
    times = [event["t_ns"] for event in events]
    check(times == sorted(times), "time goes back")


@test()
def writes_csv_and_json():
    table = work() / "run.csv"
    shown = simulate("run", PAIR.format(duration="3s", type="point-to-point", words='queue = "pfifo limit 50"', flow="", send="100mb"),
                     "--csv", table, "--json")
    result = json.loads(shown)
    check(result["flows"][0]["intact"] and result["flows"][0]["goodput_bit_s"] > 10e6, f"{result['flows']}")
    with open(table, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    check(len(rows) == 300, f"{len(rows)} lines for 3 s of 10 ms")
    check(all(int(row["cwnd_octets"]) > 0 for row in rows[10:]), "a window is missing")
    check("w_max octets=" in rows[-1]["metrics"], f"CUBIC tells nothing of itself: {rows[-1]}")


@test()
def says_where_a_scenario_is_wrong():
    good = PAIR.format(duration="1s", type="ethernet", words='queue = "pfifo limit 50"', flow="", send="1mb")
    for wrong, right, expected in [('kind = "pair"', 'kind = "ring"', r":5: kind is .*dumbbell"),
                                   ('rate = "20mbit"', 'rate = "20 apples"', r":6: rate takes a string like"),
                                   ("pfifo limit 50", "pfifo length 50", r"'length'"),
                                   ('from = "a"', 'from = "x"', r":7: there is no node 'x'; there are a b"),
                                   ('send = "1mb"', 'sned = "1mb"', r":10: a flow does not know 'sned'; it knows .*send"),
                                   ('send = "1mb"', 'congestion_control = "tahoe"', r":10: there is no congestion control 'tahoe'; there are cubic"),
                                   ("seed = 7", "seed = ", r":3: ")]:
        check(wrong in good, wrong)
        scenario = work() / "wrong.toml"
        scenario.write_text(good.replace(wrong, right))
        shown = run(TRANSOM, "sim", scenario, expect=2)
        check(re.search(expected, shown) and shown.count("\n") == 1, f"{right}: {shown}")


@test()
def shows_progress_on_a_terminal_and_ends_with_ctrl_c():
    scenario = work() / "long.toml"
    scenario.write_text(PAIR.format(duration="80000s", type="point-to-point", words='queue = "pfifo limit 50"', flow="", send="1000gb"))
    # script(1) gives it a terminal.
    process = subprocess.Popen(["script", "-qefc", f"exec {TRANSOM} sim {scenario}", "/dev/null"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE)
    seen = b""
    while b" s virtual, " not in seen:
        piece = process.stdout.read1(4096)
        check(piece, f"it ended: {seen}")
        seen += piece
    child = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
    subprocess.run(["kill", "-INT", child], check=True)
    rest, _ = process.communicate(timeout=30)
    check(b"trace hash" in rest, f"no table after Ctrl-C: {rest[-300:]}")
    check(signal.SIGINT and process.returncode in (0, 130), f"status {process.returncode}")


@test()
def a_minute_of_two_flows_repeats():
    """The scenario of two congestion controls: twice the same trace hash."""
    scenario = ROOT / "tests" / "simulation" / "scenarios" / "cubic_and_bbr.toml"
    first, second = (json.loads(run(TRANSOM, "sim", scenario, "--json", "--quiet")) for _ in range(2))
    check(first["trace_hash"] == second["trace_hash"], f"{first['trace_hash']} and {second['trace_hash']}")
    print(f"60 s of virtual time in {first['real_s']:.2f} s and {second['real_s']:.2f} s")
    check(all(flow["goodput_bit_s"] > 10e6 for flow in first["flows"]), f"{first['flows']}")
