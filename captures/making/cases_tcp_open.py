"""How connections are opened, or not."""

import socket
import threading

from case import case
from lab import DROP, read_all, text
from packets import Packet


def talk(near, far, request=b"GET / HTTP/1.0\r\n\r\n", answer=b"HTTP/1.0 200 OK\r\n\r\nhello\n"):
    """One question, one answer; the server closes first."""
    near.sendall(request)
    read_all(far, len(request))
    far.sendall(answer)
    far.close()
    read_all(near)
    near.close()


@case("tcp-handshake-ipv4", kernel="both", stack="client")
def tcp_handshake_ipv4(lab):
    """Three-way handshake over IPv4 with all usual options, a question and an answer, the server closes first."""
    talk(*lab.pair())


@case("tcp-handshake-ipv6", kernel="both", stack="client")
def tcp_handshake_ipv6(lab):
    """The same over IPv6, neighbour discovery before it."""
    talk(*lab.pair(family=6))


@case("tcp-handshake-server", kernel="both", stack="server", at="server", golden=True)
def tcp_handshake_server(lab):
    """The same over IPv4, taken at the server, in whose place the stack is put."""
    talk(*lab.pair())


@case("tcp-handshake-plain", kernel="both", stack="client", form="input.pcap")
def tcp_handshake_plain(lab):
    """Handshake in which the client offers no SACK, no timestamps and no window scale: MSS is the only option."""
    lab.client.sysctl(tcp_sack=0, tcp_timestamps=0, tcp_window_scaling=0)
    talk(*lab.pair())


@case("tcp-handshake-small-mss", kernel="both", stack="server", at="server", golden=True)
def tcp_handshake_small_mss(lab):
    """The client says an MSS of 536; the server cuts what it sends accordingly."""
    near, far = lab.pair(client={"TCP_MAXSEG": 536})
    talk(near, far, answer=text(3000))


@case("tcp-handshake-syn-lost", kernel="both", stack="client")
def tcp_handshake_syn_lost(lab):
    """The first SYN is lost and sent again after a second."""
    lab.rule(lab.client, lambda packet: packet.is_syn, {1}, DROP)
    talk(*lab.pair())


@case("tcp-handshake-syn-ack-lost", kernel="both", stack="server", at="server")
def tcp_handshake_syn_ack_lost(lab):
    """The first SYN-ACK is lost: the client sends its SYN again, and the server answers again."""
    lab.rule(lab.server, lambda packet: packet.is_syn_ack, {1}, DROP)
    talk(*lab.pair())


@case("tcp-handshake-ack-lost", kernel="both", stack="server", at="server")
def tcp_handshake_ack_lost(lab):
    """The ACK that ends the handshake is lost: the first data brings it."""
    lab.rule(lab.client, lambda packet: packet.is_pure_ack, {1}, DROP)
    listener = lab.listen()
    near = lab.connect()
    near.sendall(b"question")
    far, _ = listener.accept()
    read_all(far, 8)
    far.sendall(b"answer")
    far.close()
    read_all(near)
    near.close()


@case("tcp-simultaneous-open", kernel="both", stack="client", delay=0.15)
def tcp_simultaneous_open(lab):
    """Both ends connect at the same time: SYNs cross, each is answered by a SYN-ACK (RFC 9293 figure 7)."""
    ends = []
    for node, address in ((lab.client, "192.0.2.1"), (lab.server, "192.0.2.2")):
        end = node.socket(SO_REUSEADDR=1)
        end.bind((address, 4000))
        ends.append(end)
    for node, other in ((lab.client, "192.0.2.2"), (lab.server, "192.0.2.1")):  # neighbours are known, so that the SYNs go at once
        node.run("ping", "-c", "1", other)
    lab.frames.clear()
    threads = [threading.Thread(target=end.connect, args=((address, 4000),)) for end, address in zip(ends, ("192.0.2.2", "192.0.2.1"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    near, far = ends
    near.sendall(b"both have opened\n")
    read_all(far, 17)
    near.close()
    far.close()


@case("tcp-syn-cookies", kernel="both", stack="client")
def tcp_syn_cookies(lab):
    """The server answers every SYN with a cookie; window scale and SACK survive in the timestamp."""
    lab.server.sysctl(tcp_syncookies=2)
    talk(*lab.pair())


@case("tcp-fast-open", kernel="both", stack="client")
def tcp_fast_open(lab):
    """TCP Fast Open: the first connection asks for a cookie, the second brings data in its SYN and has the answer a round trip sooner."""
    lab.client.sysctl(tcp_fastopen=3)
    lab.server.sysctl(tcp_fastopen=3)
    listener = lab.listen(TCP_FASTOPEN=5)
    for _ in range(2):
        near = lab.client.socket()
        near.sendto(b"question", socket.MSG_FASTOPEN, (lab.address(), 80))
        far, _ = listener.accept()
        read_all(far, 8)
        far.sendall(b"answer")
        far.close()
        read_all(near)
        near.close()


@case("tcp-fast-open-server", kernel="both", stack="server", at="server")
def tcp_fast_open_server(lab):
    """The same over IPv6, taken at the server."""
    lab.client.sysctl(tcp_fastopen=3)
    lab.server.sysctl(tcp_fastopen=3)
    listener = lab.listen(family=6, TCP_FASTOPEN=5)
    for _ in range(2):
        near = lab.client.socket(6)
        near.sendto(b"question", socket.MSG_FASTOPEN, (lab.address(6), 80))
        far, _ = listener.accept()
        read_all(far, 8)
        far.sendall(b"answer")
        far.close()
        read_all(near)
        near.close()


@case("tcp-fast-open-stale-cookie", kernel="both", stack="client")
def tcp_fast_open_stale_cookie(lab):
    """The server's key has changed: it takes no data with the SYN, sends a new cookie, and the client sends the data again."""
    lab.client.sysctl(tcp_fastopen=3)
    lab.server.sysctl(tcp_fastopen=3, tcp_fastopen_key="00000000-00000001-00000002-00000003")
    listener = lab.listen(TCP_FASTOPEN=5)
    for turn in range(2):
        near = lab.client.socket()
        near.sendto(b"question", socket.MSG_FASTOPEN, (lab.address(), 80))
        far, _ = listener.accept()
        read_all(far, 8)
        far.close()
        read_all(near)
        near.close()
        if turn == 0:
            listener.close()
            lab.server.sysctl(tcp_fastopen_key="00000004-00000005-00000006-00000007")
            listener = lab.listen(TCP_FASTOPEN=5)


def refused(lab, family):
    near = lab.client.socket(family)
    try:
        near.connect((lab.address(family), 81))
    except ConnectionRefusedError:
        return
    raise RuntimeError("the connection was not refused")


@case("tcp-refused-ipv4", kernel="both", stack="client", golden=True)
def tcp_refused_ipv4(lab):
    """Nobody listens: the SYN draws a reset."""
    refused(lab, 4)


@case("tcp-refused-ipv6", kernel="both", stack="client")
def tcp_refused_ipv6(lab):
    """The same over IPv6."""
    refused(lab, 6)


@case("tcp-unanswered", kernel="client", stack="client")
def tcp_unanswered(lab):
    """SYNs into a void: sent again at one-second intervals (the kernel's tcp_syn_linear_timeouts), then after two."""
    lab.client.sysctl(tcp_syn_retries=2, tcp_syn_linear_timeouts=1)
    lab.rule(lab.client, lambda packet: packet.is_syn, None, DROP)
    near = lab.client.socket()
    try:
        near.connect((lab.address(), 80))
    except TimeoutError:
        return
    raise RuntimeError("connected to nobody")


@case("tcp-listen-queue-full", kernel="both", stack="client")
def tcp_listen_queue_full(lab):
    """The listener's queue is full: the SYN of the second connection is dropped, and sent again when accept() has made room."""
    listener = lab.listen(backlog=0)
    first = lab.connect()
    second = lab.client.socket()
    waiting = threading.Thread(target=second.connect, args=((lab.address(), 80),))
    waiting.start()
    lab.pause(0.3)
    far, _ = listener.accept()
    waiting.join()
    other, _ = listener.accept()
    for end in (far, first, other, second):
        end.close()


@case("tcp-syn-options-unknown", kernel="both", stack="server", at="server")
def tcp_syn_options_unknown(lab):
    """The middle of the way has put an option that nobody knows (kind 253, RFC 4727) into the SYN: it is passed over."""
    lab.client.sysctl(tcp_timestamps=0)

    def with_unknown(frame):
        packet = Packet(frame)
        from packets import ethernet, ipv4, tcp
        options = packet.options + b"\xfd\x04\x00\x01"
        segment = tcp("192.0.2.1", "192.0.2.2", packet.sport, packet.dport, packet.seq, packet.ack, packet.flags, window=packet.window, options=options)
        return ethernet("02:00:00:00:00:01", "02:00:00:00:00:02", 0x0800, ipv4("192.0.2.1", "192.0.2.2", 6, segment))

    lab.rule(lab.client, lambda packet: packet.is_syn, None, with_unknown)
    talk(*lab.pair())
