"""transom replay --role app, and many connections of one capture at once."""

import subprocess

from harness import KERNELS, ROOT, TRANSOM, Program, check, run, test, wait_until, work
from recording import IN_FAR, NEAR, record
from replay_test import PAGE, nginx, replay

CAPTURES = ROOT / "captures"

# Takes a connection and the request, and then says nothing; or reads on and keeps what was urgent.
LISTENER = """
import pathlib, socket, sys, time
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("::", 80))
s.listen()
peer, _ = s.accept()
if sys.argv[1] == "silent":
    peer.recv(65536)
    time.sleep(30)
taken = b""
while len(taken) < 7:
    taken += peer.recv(7 - len(taken))
time.sleep(0.1)
urgent = peer.recv(1, socket.MSG_OOB)
peer.send(b"?", socket.MSG_OOB)
while octets := peer.recv(100):
    taken += octets
pathlib.Path(sys.argv[2]).write_bytes(taken + urgent)
"""


def is_listening(port=80):
    return lambda: subprocess.run(["ss", "-Hltn", f"sport = {port}"], capture_output=True, check=True).stdout


@test()
def a_recorded_clients_application_is_played_over_ipv6():
    capture, request = work() / "client.pcap", work() / "request"
    request.write_bytes(b"GET /page HTTP/1.1\r\nHost: example\r\nConnection: close\r\n\r\n")
    with nginx():
        wait_until(is_listening(), "nginx")
        with request.open("rb") as stdin:
            run(TRANSOM, "nc", "--tap", "tap0", "--pcap", capture, KERNELS[6], 80, stdin=stdin)
        told = replay(capture, "--role", "app", "--as", "client", "--tap", "tap0", "--mask", "Date: [^\\r]*")
    check(f"[{KERNELS[6]}]:80" in told and "octets from the peer: equal" in told and "verdict: done" in told, "the streams are not equal")


@test()
def an_application_whose_peer_says_nothing_shows_the_last_packets():
    with Program("python3", "-c", LISTENER, "silent"):
        wait_until(is_listening(), "the listener")
        told = replay(CAPTURES / "curl-http" / "input.pcapng", "--role", "app", "--as", "client", "--stall", "0.5", "--tap", "tap0",
                      "--peer", f"{KERNELS[4]}:80", expect=1)
    lines = told[told.index("last packets"):].splitlines()
    check(any(" > P. 1:" in line for line in lines) and any(" < . 1:1(0)" in line for line in lines), "not the last packets")


@test()
def an_urgent_octet_of_the_recorded_application_is_urgent_again():
    read = work() / "read"
    with Program("python3", "-c", LISTENER, "urgent", read) as listener:
        wait_until(is_listening(), "the listener")
        told = replay(CAPTURES / "tcp-urgent" / "input.pcapng", "--role", "app", "--as", "client", "--tap", "tap0",
                      "--peer", f"{KERNELS[4]}:80")
        check("octets from the peer: equal (1 of 1)" in told, "the answer is another")
        listener.wait(10)
    check(read.read_bytes() == b"normal  more!", f"the kernel has read {read.read_bytes()}")


@test(each=[("client",), ("app",)])
def two_hundred_connections_at_once_are_played_at_nginx(role):
    with nginx():
        wait_until(is_listening(), "nginx")
        (work() / "pages" / "small").write_bytes(PAGE[:5000])
        urls = work() / "urls"
        urls.write_text("".join(f'url = "http://{NEAR[4]}/small"\noutput = "/dev/null"\n' for _ in range(200)))
        capture = record(lambda: run(*IN_FAR, "curl", "-sS", "-Z", "--parallel-immediate", "--parallel-max", 200, "-H", "Connection: close", "-K", urls))
        as_client = ["--as", "client"] if role == "app" else []
        told = replay(capture, "--role", role, *as_client, "--tap", "tap0", "--mask", "Date: [^\\r]*", "--context", 0)
    check(told.count("octets from the peer: equal") == 50 and "150 more flows are the same or legal" in told and "verdict: done" in told,
          "not all connections are as they were")


# Reads a request, answers with six octets, and closes; of fast open, in its kernel's sense.
FAST_OPEN_LISTENER = """
import socket
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
s.bind(("::", 80))
s.listen()
while True:
    peer, _ = s.accept()
    peer.recv(100)
    peer.send(b"answer")
    peer.close()
"""


@test()
def a_recorded_application_that_opened_fast_opens_fast_at_the_kernel():
    run("sysctl", "-qw", "net.ipv4.tcp_fastopen=3")
    with Program("python3", "-c", FAST_OPEN_LISTENER):
        wait_until(is_listening(), "the listener")
        told = replay(CAPTURES / "tcp-fast-open" / "input.pcapng", "--role", "app", "--as", "client", "--tap", "tap0", "--mask", "[^]+")
    check("verdict: done" in told, "it is not as it was")
    taken = run("nstat", "-asz", "TcpExtTCPFastOpenPassive").split()
    check(taken[taken.index("TcpExtTCPFastOpenPassive") + 1] == "1", "the kernel got no data with a SYN")
