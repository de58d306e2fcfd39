"""transom replay: recorded ends at live peers of the kernel, and the collection of captures into the stack."""

import concurrent.futures
import json
import os
import shutil
import subprocess
import tomllib

from harness import HOSTS, KERNELS, ROOT, TRANSOM, Program, Skipped, check, run, test, wait_until, work

CAPTURES = ROOT / "captures"
PAGE = bytes(33 + index % 90 for index in range(150_000))
LOSS = [(None,), ("loss=2% seed=1",), ("loss=2% seed=2",)]

NGINX = """
daemon off; pid {0}/nginx.pid; error_log {0}/nginx.log; worker_processes 1; {1}
events {{}}
http {{
  access_log off; root {0}/pages;
  client_body_temp_path {0}/t1; proxy_temp_path {0}/t2; fastcgi_temp_path {0}/t3; uwsgi_temp_path {0}/t4; scgi_temp_path {0}/t5;
  server {{ listen 80; listen [::]:80; }}
}}
"""


def pages():
    directory = work() / "pages"
    directory.mkdir()
    (directory / "page").write_bytes(PAGE)
    return directory


def nginx():
    """nginx of this namespace, which is the kernel's end of the device."""
    if shutil.which("nginx") is None:
        raise Skipped("nginx is not installed")
    pages()
    configuration = work() / "nginx.conf"
    configuration.write_text(NGINX.format(work(), "user root;" if os.geteuid() == 0 else ""))
    return Program("nginx", "-c", configuration)


def replay(capture, *flags, expect=0):
    return run(TRANSOM, "replay", capture, *flags, expect=expect)


def faults(fault):
    return ["--fault", fault] if fault else []


@test(each=[(fault, family) for (fault,) in LOSS for family in (4, 6)])
def a_recorded_client_is_played_at_nginx(fault, family):
    capture = work() / "client.pcap"
    request = work() / "request"
    request.write_bytes(b"GET /page HTTP/1.1\r\nHost: example\r\nConnection: close\r\n\r\n")
    with nginx():
        wait_until(lambda: subprocess.run(["ss", "-Hltn", "sport = 80"], capture_output=True, check=True).stdout, "nginx")
        with request.open("rb") as stdin:
            recorded = run(TRANSOM, "nc", "--tap", "tap0", "--pcap", capture, KERNELS[family], 80, stdin=stdin)
        check("HTTP/1.1 200" in recorded, "nothing was recorded")
        told = replay(capture, "--role", "client", "--tap", "tap0", "--peer", KERNELS[family], "--mask", "Date: [^\\r]*", *faults(fault))
    check("octets from the peer: equal" in told and "verdict: done" in told, "the streams are not equal")


@test(each=LOSS)
def a_recorded_server_is_played_at_curl(fault):
    directory = pages()
    capture = work() / "server.pcap"
    url = f"http://{HOSTS[4]}/page"
    run(TRANSOM, "up", "--tap", "tap0", "--serve", f"http=80:{directory}", "--pcap", capture, "--", "curl", "-sS", "-o", work() / "first", url)
    told = replay(capture, "--role", "server", "--tap", "tap0", *faults(fault), "--", "curl", "-sS", "-o", work() / "second", url)
    check("octets from the peer: equal" in told and "verdict: done" in told, "the streams are not equal")
    check((work() / "first").read_bytes() == (work() / "second").read_bytes() == PAGE, "curl got something else")


@test(each=[(None,), ("loss=2% seed=1",)])
def a_recorded_clients_application_is_played_at_nginx(fault):
    capture, junit = work() / "client.pcap", work() / "app.xml"
    request = work() / "request"
    request.write_bytes(b"GET /page HTTP/1.1\r\nHost: example\r\nConnection: close\r\n\r\n")
    with nginx():
        wait_until(lambda: subprocess.run(["ss", "-Hltn", "sport = 80"], capture_output=True, check=True).stdout, "nginx")
        with request.open("rb") as stdin:
            run(TRANSOM, "nc", "--tap", "tap0", "--pcap", capture, KERNELS[4], 80, stdin=stdin)
        told = replay(capture, "--role", "app", "--as", "client", "--tap", "tap0", "--peer", KERNELS[4], "--mask", "Date: [^\\r]*",
                      "--junit", junit, *faults(fault))
        if not fault:  # what is masked may be long
            replay(capture, "--role", "app", "--as", "client", "--tap", "tap0", "--peer", KERNELS[4], "--mask", "Date: [^]*")
    check("octets from the peer: equal" in told and "verdict: done" in told, "the streams are not equal")
    check('tests="1" failures="0"' in junit.read_text(), "JUnit says something else")


@test(each=[(None,), ("loss=2% seed=1",)])
def a_recorded_servers_application_is_played_at_curl(fault):
    directory = pages()
    capture = work() / "server.pcap"
    url = f"http://{HOSTS[4]}/page"
    run(TRANSOM, "up", "--tap", "tap0", "--serve", f"http=80:{directory}", "--pcap", capture, "--", "curl", "-sS", "-o", work() / "first", url)
    told = replay(capture, "--role", "app", "--tap", "tap0", *faults(fault), "--", "curl", "-sS", "-o", work() / "second", url)
    check("octets from the peer: equal" in told and "verdict: done" in told, "the streams are not equal")
    check((work() / "first").read_bytes() == (work() / "second").read_bytes() == PAGE, "curl got something else")


@test()
def a_live_replay_gives_all_that_a_feed_gives():
    directory = pages()
    capture, html, junit = work() / "server.pcap", work() / "live.html", work() / "live.xml"
    what_happened, golden = work() / "what-happened.pcapng", work() / "golden.jsonl"
    get = ["curl", "-sS", "-o", work() / "got", f"http://{HOSTS[4]}/page"]
    run(TRANSOM, "up", "--tap", "tap0", "--serve", f"http=80:{directory}", "--pcap", capture, "--", *get)
    outputs = ["--html", html, "--junit", junit, "-w", what_happened, "--golden", golden, "--accept", "--all"]
    for role in ("server", "app"):
        told = replay(capture, "--role", role, "--tap", "tap0", *outputs, "--", *get)
        ladder = next(line for line in told.splitlines() if "recorded" in line and "actual" in line)
        check(ladder and told.count(" > ") > 5 and told.count(" < ") > 5, "the ladder lacks an end")
        text = html.read_text()
        check("<table>" in text and "octets read: equal" in text and "src=" not in text, "the page lacks something")
        check('failures="0"' in junit.read_text(), "JUnit has failures")
        kept = [json.loads(line) for line in golden.read_text().splitlines()]
        check(kept[0]["role"] == role and any("theirs" in line and "flags" in line for line in kept), "the golden record lacks an end")
        captured = run("tshark", "-r", what_happened, "-Y", "tcp.port == 80", "-T", "fields", "-e", "frame.number")
        check(len(captured.split()) > 10, "the capture of what happened lacks packets")
    done = subprocess.run([TRANSOM, "replay", capture, "--role", "server", "--tap", "tap0", "--json", "--", *get],
                          stdout=subprocess.PIPE, check=True, timeout=20)
    result = json.loads(done.stdout)
    flow = result["flows"][0]
    check(result["result"] == "done" and result["verdict"] in ("same", "legal"), f"{result['result']}, {result['verdict']}")
    check(all(difference["rule"] for difference in flow["differences"]) and flow["packets"] and flow["peer_packets"], "JSON lacks something")
    replay(capture, "--role", "server", "--tap", "tap0", "--golden", golden, "--fail-on", "violation", "--", *get)
    told = replay(capture, "--role", "server", "--tap", "tap0", "--junit", junit, "--", "curl", "-sS", "-o", work() / "got",
                  "-H", "X-Other: 1", get[-1], expect=1)
    check("violation" in told and 'failures="1"' in junit.read_text(), "another request is no violation")


LYING_UDP = """
import socket, struct, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.sendto(struct.pack(">HHHH", 5, 6, 99, 0) + b"short", (sys.argv[1], 0))
"""


@test()
def what_is_found_in_a_live_replay_stands_in_its_capture():
    directory = pages()
    capture, what_happened, lie = work() / "server.pcap", work() / "what-happened.pcapng", work() / "lie.py"
    lie.write_text(LYING_UDP)
    get = f"curl -sS -o /dev/null http://{HOSTS[4]}/page"
    run(TRANSOM, "up", "--tap", "tap0", "--serve", f"http=80:{directory}", "--pcap", capture, "--", "sh", "-c", get)
    replay(capture, "--role", "server", "--tap", "tap0", "-w", what_happened, "--", "sh", "-c", f"python3 {lie} {HOSTS[4]}; {get}")
    told = run(TRANSOM, "dump", "-r", what_happened, "--why", "udp", "and", "dst", HOSTS[4])
    what_happened.unlink()  # tshark would say the same of it
    check("[RFC 768" in told, "the finding is no comment of its packet")


@test()
def flags_that_mean_nothing_to_a_role_are_refused():
    capture = CAPTURES / "curl-http" / "input.pcapng"
    for words in (["-x", "2"], ["--role", "observe", "--stall", "1"], ["--role", "client", "-i", "tap0"], ["--role", "app", "-L", "3"],
                  ["--role", "server", "--peer", "10.9.0.1"], ["--", "true"], ["--role", "client", "-x", "0"]):
        told = replay(capture, *words, expect=2)
        check("means nothing to" in told or "no command" in told or "no number above 0" in told, f"{words}: {told}")


@test()
def what_is_observed_is_written_for_people_and_for_programs():
    capture = CAPTURES / "attack-blind-data" / "input.pcapng"
    html, junit, commented = work() / "observed.html", work() / "observed.xml", work() / "observed.pcapng"
    told = replay(capture, "--role", "observe", "--html", html, "--junit", junit, "-w", commented, expect=1)
    check("recorded" in told and "rfc9293-3.8.1-retransmission-differs" in told, "the ladder does not show what is found")
    check("rfc9293-3.8.1-retransmission-differs" in html.read_text() and 'failures="1"' in junit.read_text(), "a finding is missing")
    check("another than before" in run("tshark", "-r", commented, "-Y", "frame.comment", "-T", "fields", "-e", "frame.comment"), "no comments")
    golden = work() / "observed.jsonl"
    replay(capture, "--role", "observe", "--golden", golden, "--accept", expect=1)
    told = replay(capture, "--role", "observe", "--golden", golden, expect=1)
    check(f"{golden}: the same" in told, "a capture is other than itself")
    result = json.loads(replay(capture, "--role", "observe", "--json", expect=1))
    check(result["verdict"] == "violation" and len(result["flows"][0]["findings"]) > 3, "JSON lacks the findings")


@test()
def an_application_without_its_peer_says_what_it_awaits():
    capture = CAPTURES / "curl-http" / "input.pcapng"
    told = replay(capture, "--role", "app", "--as", "client", "--stall", "0.5", "--tap", "tap0", expect=1)
    check("awaited: a connection; " in told and "refused" in told, "it does not say where it stands")
    told = replay(capture, "--role", "app", "--stall", "0.3", "--tap", "tap0", expect=1)
    check("nobody came" in told, "it does not say what it waited for")


@test()
def a_peer_that_is_not_there_stalls_it_and_it_says_what_it_awaits():
    capture = CAPTURES / "curl-http" / "input.pcapng"
    told = replay(capture, "--role", "server", "--stall", "0.3", "--tap", "tap0", expect=1)
    check("nobody came" in told, "it does not say what it waited for")


@test()
def a_client_without_a_server_ends_in_a_stall():
    capture = CAPTURES / "curl-http" / "input.pcapng"
    told = replay(capture, "--role", "client", "--stall", "0.5", "--tap", "tap0", expect=1)
    check("awaited: a SYN-ACK; the peer refuses" in told and "last packets" in told, "it does not say where it stands")


def kernels_cases():
    for path in sorted(CAPTURES.glob("*/case.toml")):
        case = tomllib.loads(path.read_text())
        if case.get("kernel", "none") != "none" and "replay" in case:
            yield path.parent.name, path.parent / case["input"], case["replay"]["stack"]


# Where our stack is not Linux, and why.
OTHER = {
    "attack-bad-options": "a SYN whose options lie is dropped here, Linux answers it",
}


@test(timeout=120)
def every_capture_of_the_kernels_tcp_is_fed_and_none_is_a_violation():
    def feed(case):
        name, capture, stack = case
        done = subprocess.run([TRANSOM, "replay", capture, "--as", stack, "--json"], capture_output=True, check=False, timeout=60)
        result = json.loads(done.stdout)
        return name, result["verdict"], all(flow["octets_equal"] for flow in result["flows"])

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(feed, kernels_cases()))
    print(results)
    check(len(results) >= 100, f"only {len(results)} captures")
    bad = [(name, verdict) for name, verdict, equal in results if (verdict not in ("same", "legal") or not equal) and name not in OTHER]
    check(not bad, f"neither same nor legal: {bad}")


@test()
def what_is_found_is_written_for_people_and_for_programs():
    capture = CAPTURES / "tcp-loss-rack" / "input.pcapng"
    html, junit, what_happened = work() / "replay.html", work() / "replay.xml", work() / "what-happened.pcapng"
    told = replay(capture, "--as", "client", "--html", html, "--junit", junit, "-w", what_happened, "--all")
    check("recorded" in told and "verdict: legal" in told, "the ladder is not shown")
    text = html.read_text()
    check("<table>" in text and "http://" not in text and "src=" not in text, "the page needs something from elsewhere")
    check('failures="0"' in junit.read_text(), "JUnit has failures")
    run("tshark", "-r", what_happened, "-Y", "frame.comment")
    replay(capture, "--as", "client", "--fail-on", "any", expect=1)
    replay(capture, "--role", "observe")
    replay(work() / "nothing.pcap", expect=2)
