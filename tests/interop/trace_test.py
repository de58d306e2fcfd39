"""What the stack says of its decisions, read by tshark."""

import json

from harness import Host, check, random_file, run, test, url, work

MIB = 1 << 20


@test(each=[(4,), (6,)])
def wireshark_shows_why(family):
    original = random_file(5 * MIB, "here")
    with Host("--serve", f"http=80:{original.parent}", "--fault", "loss=2% seed=3", "--trace", work() / "why.pcapng", "--trace",
              work() / "why.jsonl", "--trace", work() / "why.txt", capture=False) as host:
        run("curl", "-sS", "--fail", "-o", "/dev/null", url(family, "/" + original.name), timeout=60)
        retransmitted = host.counter("TcpRetransSegs")
    shown = run("tshark", "-n", "-r", work() / "why.pcapng", "-Y", 'frame.comment contains "retransmits"', "-T", "fields", "-e", "frame.comment")
    comments = [line for line in shown.splitlines() if "retransmits" in line]
    check(comments, "no frame says that it is a retransmission")
    check(all("[RFC" in comment for comment in comments), "a comment does not name its source")
    events = [json.loads(line) for line in (work() / "why.jsonl").read_text().splitlines()]
    sent = [event for event in events if event["event"] == "tcp_send" and event["reason"] == "Retransmission"]
    check(0 < len(sent) <= retransmitted, f"{len(sent)} retransmissions in the trace, {retransmitted} counted")
    lost = [event for event in events if event["event"] == "tcp_loss"]
    check(lost and all(event["octets"] > 0 and event["rfc"].startswith("RFC") for event in lost), "losses are not explained")
    check("recovery" in (work() / "why.txt").read_text(), "the text does not speak of a recovery")
