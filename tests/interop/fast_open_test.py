"""TCP Fast Open (RFC 7413) between the kernel and Transom, both ways."""

import pathlib
import socket
import struct
import subprocess

from harness import HOSTS, KERNELS, TRANSOM, Host, Program, Skipped, check, run, test, wait_until, work

TCP_FASTOPEN = 23
SYN_DATA = 32  # TCPI_OPT_SYN_DATA
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
ANY = {4: "0.0.0.0", 6: "::"}


def switch_kernel(bits):
    """1: the client's half, 2: the server's. Of this test's own namespace."""
    path = pathlib.Path("/proc/sys/net/ipv4/tcp_fastopen")
    try:
        path.write_text(str(bits))
    except OSError as reason:
        raise Skipped(f"{path}: {reason.strerror}") from None


def wait_at_most(client, seconds):
    """As settimeout(), which would make the socket non-blocking: then MSG_FASTOPEN does not wait for a handshake without data."""
    limit = struct.pack("ll", seconds, 0)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def had_syn_data(connection):
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return bool(struct.unpack_from("B", info, 5)[0] & SYN_DATA)


def ask(family, text):
    """Sends `text` to the echo service, with the SYN if the kernel has a cookie. Whether it did, and that was acknowledged."""
    with socket.socket(FAMILIES[family], socket.SOCK_STREAM) as client:
        wait_at_most(client, 10)
        check(client.sendto(text, socket.MSG_FASTOPEN, (HOSTS[family], 7)) == len(text), "not all was taken")
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while block := client.recv(65536):
            answer += block
        check(answer == text, f"{text!r} came back as {answer!r}")
        return had_syn_data(client)


@test(each=[(4,), (6,)])
def the_kernels_client_saves_a_round_trip(family):
    switch_kernel(1)
    with Host("--fast-open", "--serve", "echo=7") as host:
        check(not ask(family, b"no cookie yet"), "data was taken without a cookie")
        check(host.counter("TcpExtTCPFastOpenCookieReqd") == 1, "the kernel did not ask for a cookie")
        check(ask(family, b"with a cookie"), "the data in the SYN was not acknowledged")
        check(ask(family, bytes(index % 251 for index in range(20000))), "nor that of a longer message")
        check(host.counter("TcpExtTCPFastOpenPassive") == 2, "the host has another opinion")
        check(host.counter("TcpExtTCPFastOpenPassiveFail") == 0, "a cookie was refused")


@test()
def a_new_key_gives_a_new_cookie():
    switch_kernel(1)
    with Host("--fast-open", "--serve", "echo=7"):
        ask(4, b"no cookie yet")
        check(ask(4, b"with a cookie"), "the data in the SYN was not acknowledged")
    with Host("--fast-open", "--serve", "echo=7") as host:
        check(not ask(4, b"an old cookie"), "the cookie of another host was good")
        check(host.counter("TcpExtTCPFastOpenPassiveFail") == 1, "it was not even brought")
        check(ask(4, b"the new cookie"), "the new cookie was not given or not used")


@test()
def without_the_option_nothing_is_taken_early():
    switch_kernel(1)
    with Host("--serve", "echo=7") as host:
        check(not ask(4, b"one") and not ask(4, b"two"), "data was taken with a SYN")
        check(host.counter("TcpExtTCPFastOpenPassive") == 0, "the host says so, too")


@test(each=[(4,), (6,)])
def our_client_saves_a_round_trip(family):
    switch_kernel(2)
    with socket.create_server((ANY[family], 50007), family=FAMILIES[family]) as server:
        server.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
        server.settimeout(20)
        (work() / "question").write_bytes(b"question")
        with open(work() / "question", "rb") as source, open(work() / "got", "wb") as out:
            with Program(TRANSOM, "nc", "--tap", "tap0", "--pcap", work() / "nc.pcap", "-F", "-N", KERNELS[family], 50007, stdin=source,
                         stdout=out) as client:
                first, _ = server.accept()
                with first:
                    check(first.recv(100) == b"" and not had_syn_data(first), "the first connection fetches the cookie only")
                second, _ = server.accept()
                with second:
                    check(second.recv(100) == b"question", "the question is another")
                    check(had_syn_data(second), "the question came after the handshake")
                    second.sendall(b"answer")
                client.wait(20)
    check((work() / "got").read_bytes() == b"answer", "the answer did not arrive")
    syns = run("tshark", "-n", "-r", work() / "nc.pcap", "-Y", "tcp.flags.syn == 1 && tcp.flags.ack == 0", "-T", "fields", "-e", "tcp.len",
               "-e", "tcp.options.tfo.request", "-e", "tcp.options.tfo.cookie").splitlines()
    lengths = [line.split("\t")[0] for line in syns if line[:1].isdigit()]
    check(lengths == ["0", "8"], f"SYNs carried {lengths} octets")


@test()
def our_client_goes_without_when_the_kernel_does_not_take_part():
    switch_kernel(1)
    with socket.create_server(("", 50007)) as server:
        server.settimeout(20)
        (work() / "question").write_bytes(b"question")
        with open(work() / "question", "rb") as source:
            with Program(TRANSOM, "nc", "--tap", "tap0", "--pcap", work() / "nc.pcap", "-F", "-N", KERNELS[4], 50007, stdin=source,
                         stdout=subprocess.DEVNULL) as client:
                server.accept()[0].close()
                with server.accept()[0] as second:
                    check(second.recv(100) == b"question" and not had_syn_data(second), "the question came some other way")
                client.wait(20)


@test()
def our_listener_takes_the_kernels_data_with_the_syn():
    switch_kernel(1)
    with Program(TRANSOM, "nc", "--tap", "tap0", "--pcap", work() / "nc.pcap", "-F", "-k", "-l", 50007, stdout=subprocess.DEVNULL):
        def can_connect():
            with socket.socket() as client:
                wait_at_most(client, 5)
                try:
                    client.sendto(b"a", socket.MSG_FASTOPEN, (HOSTS[4], 50007))
                except OSError:
                    return False
                return True
        wait_until(can_connect, "a connection")
        with socket.socket() as client:
            wait_at_most(client, 5)
            client.sendto(b"bc", socket.MSG_FASTOPEN, (HOSTS[4], 50007))
            check(had_syn_data(client), "the data in the SYN was not acknowledged")
