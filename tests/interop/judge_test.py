"""`transom judge` finds no violation in captures of the kernel's TCP and ours, whatever the network does, and wherever
it was captured."""

import contextlib
import json
import random
import signal
import subprocess
import sys
from xml.etree import ElementTree

from harness import ROOT, TRANSOM, Host, check, run, test, wait_until, work
from link_test import Link

TRAFFIC = ROOT / "tests" / "interop" / "traffic.py"


def judge(path, *flags, **how):
    return json.loads(run(TRANSOM, "judge", "--json", path, *flags, **how))


def check_legal(path, *flags):
    judged = judge(path, *flags, expect=None)
    found = [f"frame {finding['frame']} {finding['rule']}: {finding['text']}" for finding in judged["findings"]
             if finding["verdict"] == "violation"]
    check(judged["tcp_segments"] > 0, f"{path.name}: no TCP was captured")
    check(not found, f"{path.name} {' '.join(flags)}: {len(found)} violations, the first: {'; '.join(found[:3])}")
    return judged


class Dump:
    """tcpdump on a device; `inside`: a command that enters its namespace."""

    def __init__(self, device, path, *flags, inside=()):
        self.command = [*map(str, inside), "tcpdump", "-i", device, "-w", str(path), "-U", "--immediate-mode", "-Z", "root", *flags, "tcp or icmp"]
        self.path = path

    def __enter__(self):
        print("$", " ".join(self.command), "&", flush=True)
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "listening on" in line:
                return self
        check(False, "tcpdump does not listen")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()


def link_words(chance):
    words = ["--seed", chance.randint(1, 10 ** 6), "--rate", chance.choice(["5mbit", "20mbit", "100mbit"]),
             "--delay", chance.choice(["1ms", "5ms", "20ms", "60ms"])]
    for flag, values in (("--loss", ["1%", "3%", "8%", "gemodel 1% 20% 60% 0.1%"]), ("--jitter", ["1ms", "10ms"]), ("--duplicate", ["1%", "5%"]),
                         ("--reorder", ["1%", "10%"]), ("--corrupt", ["0.5%", "2%"])):
        if chance.random() < 0.5:
            words += [flag, chance.choice(values)]
    if chance.random() < 0.3:
        words += ["--queue", chance.choice(["pfifo limit 10", "codel ecn", "red ecn" if chance.random() < 0.3 else "fq_codel ecn"])]
    return words


def settings(chance):
    """sysctl words for one end."""
    words = [f"net.ipv4.tcp_ecn={chance.choice([0, 1, 2])}"]
    for name in ("timestamps", "sack", "window_scaling", "dsack", "moderate_rcvbuf"):
        if chance.random() < 0.2:
            words.append(f"net.ipv4.tcp_{name}=0")
    return words


def kernel_captures(seed):
    """Two kernels over a bad link, captured at both ends."""
    chance = random.Random(seed)
    left, right = work() / f"kernel-{seed}-left.cap", work() / f"kernel-{seed}-right.cap"
    flags = ["-s", "96"] if chance.random() < 0.2 else []
    with Link(*link_words(chance)) as link:
        inside = ["nsenter", "-t", str(link.other.pid), "-n"]
        for words, enter in ((settings(chance), []), (settings(chance), inside)):
            run(*enter, "sysctl", "-q", "-w", *words)
        if chance.random() < 0.5:  # super-packets are captured before they are cut, else
            run("ethtool", "-K", "left", "tso", "off", "gso", "off", "gro", "off", expect=None)
            run(*inside, "ethtool", "-K", "right", "tso", "off", "gso", "off", "gro", "off", expect=None)
        # ARP gives up soon on such a link.
        wait_until(lambda: "1 received" in run("ping", "-c", "1", "-W", "1", "10.8.0.2", expect=None), "an answer to ping", timeout=30)
        with Dump("left", left, *flags), Dump("right", right, *flags, inside=inside):
            serve = subprocess.Popen([*inside, sys.executable, str(TRAFFIC), "server", "10.8.0.2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            serve.stdout.readline()
            run(sys.executable, TRAFFIC, "client", "10.8.0.2", seed, timeout=180)
            serve.stdin.close()
            serve.kill()
            serve.wait()
    return [(left, "10.8.0.1"), (right, "10.8.0.2")]


def host_captures(seed):
    """Our host and the kernel over a bad link: what the host sees, and what the kernel sees."""
    chance = random.Random(seed)
    faults = " ".join([f"seed={seed}"] + [f"{name}={value}" for name, values in (
        ("loss", ["1%", "5%"]), ("reorder", ["1%", "5%"]), ("dup", ["2%"]), ("corrupt", ["1%"]), ("delay", ["1ms", "20ms"]))
        if chance.random() < 0.5 for value in [chance.choice(values)]])
    inner, outer = work() / f"host-{seed}.cap", work() / f"host-{seed}-kernel.cap"
    run("sysctl", "-q", "-w", *settings(chance))
    page = work() / "page"
    page.write_bytes(bytes(300000))
    with Host("--serve", "echo=7", "--serve", "discard=9", "--serve", f"http=80:{work()}", "--pcap", inner, "--fault", faults, capture=False):
        with Dump("tap0", outer):
            for _ in range(chance.randint(2, 4)):
                kind = chance.choice(["get", "discard", "echo", "refused"])
                if kind == "get":
                    run("curl", "-s", "-m", "30", "-o", "/dev/null", "http://10.9.0.2/page", expect=None)
                elif kind == "refused":
                    run("curl", "-s", "-m", "5", "http://10.9.0.2:81/", expect=None)
                else:
                    run("sh", "-c", f"head -c {chance.randint(1, 500000)} /dev/zero | timeout 30 nc -N 10.9.0.2 {7 if kind == 'echo' else 9} | wc -c", expect=None)
    return [(inner, "10.9.0.2"), (outer, "10.9.0.1")]


def simulated_capture(seed):
    """Our hosts among themselves, in virtual time: the capture has missed nothing."""
    chance = random.Random(seed)
    link = [f'rate = "{chance.choice(["1mbit", "10mbit", "50mbit"])}"', f'delay = "{chance.choice(["1ms", "10ms", "80ms"])}"']
    for key, values in (("loss", ["0.5%", "3%"]), ("jitter", ["1ms", "5ms"]), ("duplicate", ["1%"]), ("reorder", ["1%"]), ("corrupt", ["1%"])):
        if chance.random() < 0.5:
            link.append(f'{key} = "{chance.choice(values)}"')
    if chance.random() < 0.5:
        link.append(f'queue = "{chance.choice(["pfifo limit 10", "pfifo limit 100", "codel ecn", "fq_codel ecn"])}"')
    flows = "".join(f'[[flow]]\nfrom = "left{i}"\nto = "right{i}"\ncongestion_control = "{chance.choice(["cubic", "reno", "bbr"])}"\n'
                    for i in range(1, chance.randint(2, 4)))
    scenario = work() / f"sim-{seed}.toml"
    scenario.write_text(f'duration = "{chance.randint(1, 4)}s"\nseed = {seed}\n[topology]\nkind = "dumbbell"\nhosts = 3\n'
                        f'access = {{ rate = "100mbit", delay = "1ms" }}\nbottleneck = {{ {", ".join(link)} }}\n{flows}')
    trace = work() / f"sim-{seed}.pcapng"
    run(TRANSOM, "sim", "-q", scenario, "--trace", trace, timeout=120)
    return [(trace, None)]


def captures(kind, seed):
    """Each with the address of the host at which it was taken, if it was at one alone."""
    return {"kernel": kernel_captures, "host": host_captures, "simulated": simulated_capture}[kind](seed)


@test(timeout=200, each=[("kernel", 1), ("kernel", 2), ("host", 1), ("simulated", 1)])
def finds_nothing_wrong(kind, seed):
    for path, at in captures(kind, seed):
        check_legal(path)
        if at:
            check_legal(path, "--at", at)


# 200 captures: 70 kernels' conversations seen from both ends, 20 of our host, 20 simulations.
@test(timeout=1500, minutes=True, each=[("kernel", first, 7) for first in range(100, 170, 7)] +
      [("host", 200, 10), ("host", 210, 10), ("simulated", 300, 10), ("simulated", 310, 10)])
def finds_nothing_wrong_in_two_hundred(kind, first, count):
    for seed in range(first, first + count):
        for path, at in captures(kind, seed):
            check_legal(path)
            if at:
                check_legal(path, "--at", at)
            path.unlink()


@test()
def reports_what_it_finds():
    capture = ROOT / "captures" / "attack-blind-data" / "input.pcapng"
    report = work() / "report.xml"
    shown = run(TRANSOM, "judge", "--junit", report, capture, expect=1)
    check("rfc9293-3.10.7.4-ack-beyond-sent" in shown and "|-- " in shown, f"no rule, or no ladder: {shown}")
    check("<failure message=" in report.read_text(), "no failure in the JUnit report")
    run(TRANSOM, "judge", ROOT / "captures" / "attack-reset-exact" / "input.pcapng")
    run(TRANSOM, "judge", "--fail-on", "unknown", ROOT / "captures" / "tcp-checksum-wrong" / "input.pcapng", expect=1)
    run(TRANSOM, "judge", work() / "nothing", expect=2)
    run(TRANSOM, "judge", TRAFFIC, expect=2)
    check(not judge(capture, "udp")["packets"], "the filter lets packets through")
    check("filter" in run(TRANSOM, "judge", capture, "no", "such", "words", expect=2), "a filter that makes no sense")
    drawn = run(TRANSOM, "ladder", "--width", "100", capture)
    check("SYN-SENT |-- S 0 win" in drawn and "| SYN-RECEIVED" in drawn, drawn)
    run(TRANSOM, "ladder", "--svg", work() / "ladder.svg", "--html", work() / "ladder.html", capture)
    ElementTree.parse(work() / "ladder.svg")
    check("18 edges" in run(TRANSOM, "fsm", capture) and "digraph" in run(TRANSOM, "fsm", "--dot", "-", capture), "no diagram")
    check(len(run(TRANSOM, "judge", "--rules").splitlines()) > 60, "the rules are not listed")


@test()
def a_trace_of_json_lines_is_drawn_as_the_capture_is():
    """The same run, told as a capture and as JSON lines: the same ladder and the same states."""
    scenario = work() / "sim.toml"
    scenario.write_text('duration = "1s"\nseed = 5\n[topology]\nkind = "dumbbell"\nhosts = 2\nbottleneck = { rate = "2mbit", delay = "5ms", loss = "2%" }\n'
                        '[[flow]]\nfrom = "left1"\nto = "right1"\nsend = "60kb"\n')
    traces = [work() / "run.pcapng", work() / "run.jsonl"]
    for trace in traces:
        run(TRANSOM, "sim", "-q", scenario, "--trace", trace)
    for command in (["ladder", "--width", "120"], ["fsm"]):
        shown = [run(TRANSOM, *command, trace) for trace in traces]
        check("ESTABLISHED" in shown[0] and shown[0] == shown[1], f"{command}: {shown[0][:2000]}\n{shown[1][:2000]}")
    check("tcp_congestion: " in run(TRANSOM, "ladder", "--why", traces[1]), "no reasons in the ladder")
    broken = work() / "broken.jsonl"
    broken.write_text(traces[1].read_text(encoding="utf-8")[:1000], encoding="utf-8")
    check("this line is no event of a trace" in run(TRANSOM, "ladder", broken, expect=2), "a line that is cut")
