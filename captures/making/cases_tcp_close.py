"""Each way for a connection to end."""

import socket
import struct
import threading

from case import case
from cases_tcp_open import talk
from lab import DROP, read_all, text

TCP_REPAIR = 19
LINGER_ZERO = struct.pack("ii", 1, 0)


def vanish(end):
    """The socket is gone without a word, as if its host had lost power."""
    end.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    end.close()


def expect_reset(end):
    try:
        while end.recv(65536):
            pass
    except ConnectionResetError:
        return
    raise RuntimeError("the connection was not reset")


@case("tcp-close-active", kernel="both", stack="client")
def tcp_close_active(lab):
    """The client closes first and goes through FIN-WAIT and TIME-WAIT; the server closes when it sees that."""
    near, far = lab.pair()
    near.sendall(b"last words")
    near.close()
    read_all(far)
    lab.pause(0.1)
    far.close()


@case("tcp-close-passive", kernel="both", stack="client")
def tcp_close_passive(lab):
    """The server closes first; the client has CLOSE-WAIT for a while, then LAST-ACK."""
    near, far = lab.pair()
    far.sendall(b"last words")
    far.close()
    read_all(near)
    lab.pause(0.1)
    near.close()


@case("tcp-close-simultaneous", kernel="both", stack="client", delay=0.05)
def tcp_close_simultaneous(lab):
    """Both ends close at the same time: the FINs cross (RFC 9293 figure 13)."""
    near, far = lab.pair()
    near.sendall(b"a")
    far.sendall(b"b")
    read_all(near, 1)
    read_all(far, 1)
    lab.pause(0.2)
    near.close()
    far.close()
    lab.pause(0.2)


@case("tcp-half-close", kernel="both", stack="client")
def tcp_half_close(lab):
    """The client shuts its direction down; the server goes on to send for a while."""
    near, far = lab.pair()
    near.sendall(b"sort\n")
    near.shutdown(socket.SHUT_WR)
    read_all(far)
    for _ in range(3):
        far.sendall(text(700))
        lab.pause(0.03)
    far.close()
    read_all(near)
    near.close()


@case("tcp-half-close-server", kernel="both", stack="server", at="server")
def tcp_half_close_server(lab):
    """The server shuts its direction down at once; the client still sends."""
    near, far = lab.pair()
    far.sendall(b"ready\n")
    far.shutdown(socket.SHUT_WR)
    read_all(near)
    near.sendall(text(2000))
    near.close()
    read_all(far)
    far.close()


@case("tcp-close-unread-data", kernel="both", stack="client")
def tcp_close_unread_data(lab):
    """The client closes while it has unread data: a reset tells the server that they were lost (RFC 9293 3.6.1)."""
    near, far = lab.pair()
    far.sendall(b"nobody will read this")
    lab.pause(0.05)
    near.close()
    expect_reset(far)
    far.close()


@case("tcp-close-linger-zero", kernel="both", stack="client")
def tcp_close_linger_zero(lab):
    """The client closes with SO_LINGER 0: a reset in place of the FIN."""
    near, far = lab.pair()
    near.sendall(b"hello")
    read_all(far, 5)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    near.close()
    expect_reset(far)
    far.close()


@case("tcp-reset-received", kernel="both", stack="client")
def tcp_reset_received(lab):
    """The server resets the connection, the client has data on their way."""
    near, far = lab.pair()
    near.sendall(text(900))
    read_all(far, 900)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    far.close()
    expect_reset(near)
    near.close()


@case("tcp-reset-data-after-close", kernel="both", stack="client")
def tcp_reset_data_after_close(lab):
    """The server has closed for good, the client sends all the same: its data draw a reset."""
    near, far = lab.pair()
    near.sendall(b"one")
    read_all(far, 3)
    far.close()
    lab.pause(0.05)
    near.sendall(b"two")
    lab.pause(0.05)
    near.close()


@case("tcp-half-open", kernel="both", stack="client")
def tcp_half_open(lab):
    """The server has forgotten the connection: what the client sends draws a reset (RFC 9293 figure 10)."""
    near, far = lab.pair()
    near.sendall(b"hello")
    read_all(far, 5)
    lab.pause(0.05)
    vanish(far)
    near.sendall(b"still there?")
    expect_reset(near)
    near.close()


@case("tcp-half-open-new-syn", kernel="both", stack="server", at="server")
def tcp_half_open_new_syn(lab):
    """The client has forgotten the connection and opens it anew from the same port: its SYN draws a challenge ACK, which it answers by a
    reset; the SYN that it sends again then opens (RFC 5961 4)."""
    listener = lab.listen()
    near = lab.client.socket(SO_REUSEADDR=1)
    near.bind(("192.0.2.1", 5000))
    near.connect((lab.address(), 80))
    far, _ = listener.accept()
    near.sendall(b"hello")
    read_all(far, 5)
    vanish(near)
    again = lab.client.socket(SO_REUSEADDR=1)
    again.bind(("192.0.2.1", 5000))
    again.connect((lab.address(), 80))
    other, _ = listener.accept()
    talk(again, other)
    far.close()


@case("tcp-close-fin-lost", kernel="both", stack="client")
def tcp_close_fin_lost(lab):
    """The client's FIN is lost and sent again."""
    lab.rule(lab.client, lambda packet: packet.is_fin, {1}, DROP)
    near, far = lab.pair()
    near.sendall(b"last words")
    lab.pause(0.05)
    near.close()
    read_all(far)
    far.close()


@case("tcp-close-last-ack-lost", kernel="both", stack="client")
def tcp_close_last_ack_lost(lab):
    """The ACK of the server's FIN is lost; the FIN comes again and TIME-WAIT acknowledges it again."""
    near, far = lab.pair()
    near.close()
    read_all(far)
    lab.pause(0.05)
    lab.rule(lab.client, lambda packet: packet.is_pure_ack, {1}, DROP)
    far.close()
    lab.pause(0.6)


@case("tcp-time-wait-reuse", kernel="both", stack="server", at="server")
def tcp_time_wait_reuse(lab):
    """A SYN from the same port, its timestamp later, opens a new connection while the server still has the old one in TIME-WAIT."""
    listener = lab.listen()
    for _ in range(2):
        near = lab.client.socket(SO_REUSEADDR=1)
        near.bind(("192.0.2.1", 5000))
        near.connect((lab.address(), 80))
        far, _ = listener.accept()
        talk(near, far)
        lab.pause(1.1)


@case("tcp-fin-with-data", kernel="both", stack="server", at="server", form="input.pcap.gz", golden=True)
def tcp_fin_with_data(lab):
    """Data and FIN of the client come in one segment, as TCP_CORK makes it."""
    near, far = lab.pair(client={"TCP_CORK": 1})
    near.sendall(b"all that there is to say")
    near.close()
    read_all(far)
    far.sendall(b"thanks")
    far.close()
    lab.pause(0.05)


@case("tcp-fin-wait-2-timeout", kernel="both", stack="client")
def tcp_fin_wait_2_timeout(lab):
    """The client has closed and waits in FIN-WAIT-2; the server closes a second too late, when the kernel has given up: a reset."""
    lab.client.sysctl(tcp_fin_timeout=1)
    near, far = lab.pair(client={"TCP_LINGER2": 1})
    near.close()
    read_all(far)
    lab.pause(2.5)
    far.sendall(b"late")
    lab.pause(0.1)
    far.close()


@case("tcp-many-connections", kernel="both", stack="client", form="input.pcap.zst")
def tcp_many_connections(lab):
    """Twelve connections at once, of three questions each, from one client."""
    listener = lab.listen(backlog=32)

    def serve(far):
        for _ in range(3):
            read_all(far, 100)
            far.sendall(text(400))
        read_all(far)
        far.close()

    def ask():
        near = lab.connect()
        for _ in range(3):
            near.sendall(text(100))
            read_all(near, 400)
        near.close()

    askers = [threading.Thread(target=ask) for _ in range(12)]
    for asker in askers:
        asker.start()
    servers = []
    for _ in askers:
        far, _ = listener.accept()
        servers.append(threading.Thread(target=serve, args=(far,)))
        servers[-1].start()
    for thread in askers + servers:
        thread.join()
