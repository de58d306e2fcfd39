"""Windows, delays on purpose, timers of idle connections, urgent data, numbers at their wrap."""

import socket
import struct

import packets
from case import case
from cases_tcp_loss import SEGMENT, SMALL, is_data, upload
from lab import DROP, read_all, text
from packets import ACK, Packet


@case("tcp-zero-window", kernel="both", stack="client")
def tcp_zero_window(lab):
    """The server does not read: its window closes, the client probes at growing intervals, and goes on when it opens."""
    near, far = lab.pair(client=SMALL, server={"SO_RCVBUF": 2304})
    near.setblocking(False)
    sent = near.send(text(12000))
    lab.pause(1.8)
    read_all(far, min(sent, 1000))
    near.setblocking(True)
    near.sendall(text(12000)[sent:])
    near.close()
    read_all(far)
    far.close()


@case("tcp-zero-window-receiver", kernel="both", stack="server", at="server")
def tcp_zero_window_receiver(lab):
    """The same seen by the server, whose window closes and opens."""
    near, far = lab.pair(client=SMALL, server={"SO_RCVBUF": 2304})
    near.setblocking(False)
    sent = near.send(text(8000))
    lab.pause(0.8)
    near.setblocking(True)
    read_all(far, sent)
    near.sendall(text(2000))
    near.close()
    read_all(far)
    far.close()


@case("tcp-window-update-lost", kernel="both", stack="client")
def tcp_window_update_lost(lab):
    """The ACK that opens the window again is lost: the next probe brings it to light (RFC 9293 3.8.6.1)."""
    near, far = lab.pair(client=SMALL, server={"SO_RCVBUF": 2304})
    near.setblocking(False)
    near.send(text(8000))
    lab.pause(0.9)
    lab.rule(lab.server, lambda packet: packet.is_pure_ack and packet.window > 0, {1}, DROP)
    far.setblocking(False)
    got = len(far.recv(65536))
    far.setblocking(True)
    read_all(far, 8000 - got)
    near.setblocking(True)
    near.close()
    read_all(far)
    far.close()


@case("tcp-small-reads", kernel="both", stack="client")
def tcp_small_reads(lab):
    """The server reads 40 octets at a time from a small buffer: neither end is silly about it (RFC 9293 3.8.6.2)."""
    near, far = lab.pair(client=SMALL, server={"SO_RCVBUF": 2304})
    near.setblocking(False)
    sent = near.send(text(6000))
    for _ in range(sent // 40 + 1):
        far.setblocking(False)
        try:
            far.recv(40)
        except BlockingIOError:
            pass
        lab.pause(0.002)
    far.setblocking(True)
    near.setblocking(True)
    near.close()
    read_all(far)
    far.close()


@case("tcp-delayed-ack", kernel="both", stack="server", at="server")
def tcp_delayed_ack(lab):
    """Single small segments are acknowledged after a delay, and every second full one at once (RFC 9293 3.8.6.3)."""
    near, far = lab.pair(client={"TCP_NODELAY": 1})
    far.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    far.sendall(b"0123456789")
    read_all(near, 10)
    for _ in range(6):
        near.sendall(b"tick")
        read_all(far, 4)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        lab.pause(0.12)
    near.close()
    read_all(far)
    far.close()


@case("tcp-nagle", kernel="both", stack="client", delay=0.02)
def tcp_nagle(lab):
    """Ten small writes in a row: the first goes at once, the others wait for its ACK and go together (RFC 9293 3.7.4)."""
    near, far = lab.pair()
    for number in range(10):
        near.sendall(b"write %d;" % number)
        lab.pause(0.002)
    read_all(far, 80)
    near.close()
    read_all(far)
    far.close()


@case("tcp-nodelay", kernel="both", stack="client", delay=0.02)
def tcp_nodelay(lab):
    """The same with TCP_NODELAY: each write is a segment."""
    near, far = lab.pair(client={"TCP_NODELAY": 1})
    for number in range(10):
        near.sendall(b"write %d;" % number)
        lab.pause(0.002)
    read_all(far, 80)
    near.close()
    read_all(far)
    far.close()


@case("tcp-cork", kernel="both", stack="client")
def tcp_cork(lab):
    """Ten small writes under TCP_CORK go as one segment when the cork is pulled."""
    near, far = lab.pair(client={"TCP_CORK": 1})
    for number in range(10):
        near.sendall(b"write %d;" % number)
        lab.pause(0.002)
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    read_all(far, 80)
    near.close()
    read_all(far)
    far.close()


@case("tcp-interactive", kernel="both", stack="client")
def tcp_interactive(lab):
    """Keys and their echoes: ACKs ride on data."""
    near, far = lab.pair(client={"TCP_NODELAY": 1}, server={"TCP_NODELAY": 1})
    for key in b"date\n":
        near.sendall(bytes([key]))
        far.sendall(read_all(far, 1))
        read_all(near, 1)
        lab.pause(0.03)
    near.close()
    read_all(far)
    far.close()


@case("tcp-keep-alive", kernel="both", stack="client")
def tcp_keep_alive(lab):
    """An idle connection with keep-alive after a second: two probes, each answered (RFC 9293 3.8.4)."""
    near, far = lab.pair(client={"SO_KEEPALIVE": 1, "TCP_KEEPIDLE": 1, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3})
    near.sendall(b"hello")
    read_all(far, 5)
    lab.pause(2.4)
    near.close()
    read_all(far)
    far.close()


@case("tcp-keep-alive-receiver", kernel="both", stack="server", at="server")
def tcp_keep_alive_receiver(lab):
    """The same seen by the server, which answers the probes."""
    tcp_keep_alive(lab)


@case("tcp-keep-alive-dead-peer", kernel="both", stack="client")
def tcp_keep_alive_dead_peer(lab):
    """The peer is cut off: three probes stay unanswered, the connection is given up with a reset."""
    near, far = lab.pair(client={"SO_KEEPALIVE": 1, "TCP_KEEPIDLE": 1, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3})
    near.sendall(b"hello")
    read_all(far, 5)
    lab.pause(0.1)
    lab.rule(lab.server, lambda packet: packet.protocol == packets.TCP, None, DROP)
    try:
        near.recv(1)
    except TimeoutError:
        near.close()
        return
    raise RuntimeError("the dead peer was not noticed")


@case("tcp-user-timeout", kernel="both", stack="client")
def tcp_user_timeout(lab):
    """Data that nobody acknowledges: after TCP_USER_TIMEOUT of 1.5 s the connection is given up (RFC 5482)."""
    near, far = lab.pair(client={"TCP_USER_TIMEOUT": 1500})
    lab.rule(lab.server, lambda packet: packet.protocol == packets.TCP, None, DROP)
    near.sendall(b"hello")
    try:
        near.recv(1)
    except TimeoutError:
        near.close()
        far.close()
        return
    raise RuntimeError("the silence was not noticed")


@case("tcp-urgent", kernel="both", stack="client")
def tcp_urgent(lab):
    """Urgent data of both ends: the pointer names the octet after (RFC 6093), and the server reads it out of band."""
    near, far = lab.pair()
    near.sendall(b"normal ")
    near.send(b"!", socket.MSG_OOB)
    near.sendall(b" more")
    read_all(far, 7)
    lab.pause(0.05)
    far.recv(1, socket.MSG_OOB)
    far.send(b"?", socket.MSG_OOB)
    read_all(far, 5)
    lab.pause(0.05)
    near.recv(1, socket.MSG_OOB)
    near.shutdown(1)
    far.shutdown(1)
    read_all(far)
    read_all(near)
    near.close()
    far.close()


@case("tcp-urgent-receiver", kernel="both", stack="server", at="server")
def tcp_urgent_receiver(lab):
    """Urgent data seen by the server; the mark moves while the first is unread."""
    near, far = lab.pair(server={"SO_OOBINLINE": 1})
    near.sendall(b"one")
    near.send(b"!", socket.MSG_OOB)
    near.sendall(b"two")
    near.send(b"!", socket.MSG_OOB)
    lab.pause(0.05)
    read_all(far, 8)
    near.close()
    read_all(far)
    far.close()


@case("tcp-window-scale", kernel="both", stack="client", form="input.pcapng.zst", delay=0.02)
def tcp_window_scale(lab):
    """300 kB with large buffers: the server's window grows beyond 64 KiB (RFC 7323 2)."""
    near, far = lab.pair()
    near.sendall(text(300000))
    near.shutdown(1)
    read_all(far)
    far.close()
    read_all(near)
    near.close()


@case("tcp-window-scale-server", kernel="both", stack="server", at="server", form="input.pcapng.zst", delay=0.02)
def tcp_window_scale_server(lab):
    """The server sends 200 kB, the client reads slowly."""
    near, far = lab.pair(client={"SO_RCVBUF": 40000})
    far.setblocking(False)
    sent = far.send(text(200000))
    far.setblocking(True)
    got = 0
    while got < sent:
        got += len(read_all(near, min(10000, sent - got)))
        lab.pause(0.005)
    far.close()
    read_all(near)
    near.close()


@case("tcp-window-scale-zero", kernel="both", stack="client")
def tcp_window_scale_zero(lab):
    """The server has clamped its window to 8 kB (TCP_WINDOW_CLAMP) and offers a scale of 0; the client's is larger."""
    near, far = lab.pair(client=SMALL, server={"TCP_WINDOW_CLAMP": 8192})
    near.sendall(text(20 * SEGMENT))
    near.close()
    read_all(far)
    far.close()


def shifted(frames, client_start, server_start, client_clock=None, server_clock=None):
    """The same connection with other initial sequence numbers (and timestamp values): numbers, acknowledgements and SACK blocks move by the
    same amount, as if the ends had drawn others."""
    starts, clocks, moved = {}, {}, []
    wanted = {packets.packed("192.0.2.1"): (client_start, client_clock), packets.packed("192.0.2.2"): (server_start, server_clock)}

    def put(octets, at, value):
        return octets[:at] + struct.pack("!I", value & 0xFFFFFFFF) + octets[at + 4:]

    for frame in frames:
        packet = Packet(frame.octets)
        if packet.protocol == packets.TCP and packet.flags & packets.SYN and packet.source not in starts:
            first, clock = wanted[packet.source]
            starts[packet.source] = first - packet.seq
            stamps = packet.option(8)
            clocks[packet.source] = clock - struct.unpack("!I", stamps[:4])[0] if clock is not None and stamps else 0
    for frame in frames:
        packet = Packet(frame.octets)
        if packet.protocol == packets.TCP:
            own, other = starts[packet.source], starts.get(packet.destination, 0)
            octets = put(packet.frame, packet.transport_at + 4, packet.seq + own)
            if packet.flags & ACK:
                octets = put(octets, packet.transport_at + 8, packet.ack + other)
            at, end = packet.transport_at + 20, packet.transport_at + 20 + len(packet.options)
            while at < end and octets[at] != 0:
                if octets[at] == 1:
                    at += 1
                    continue
                if octets[at] == 8:
                    value, echo = struct.unpack_from("!II", octets, at + 2)
                    octets = put(octets, at + 2, value + clocks[packet.source])
                    if packet.flags & ACK:
                        octets = put(octets, at + 6, echo + clocks.get(packet.destination, 0))
                elif octets[at] == 5:
                    for edge in range(at + 2, at + octets[at + 1], 4):
                        octets = put(octets, edge, struct.unpack_from("!I", octets, edge)[0] + other)
                at += octets[at + 1]
            frame.octets = packets.refill_checksum(octets)
        moved.append(frame)
    return moved


@case("tcp-sequence-wrap", kernel="both", stack="client")
def tcp_sequence_wrap(lab):
    """The client's numbers pass 2^32 in the midst of the data, a segment before and one behind it are lost. Kernel traffic; the initial numbers
    were moved afterwards."""
    lab.rule(lab.client, is_data, {4, 7}, DROP)
    upload(lab)
    lab.pause(0.05)
    return shifted(lab.frames, 2 ** 32 - 5 * SEGMENT - 100, 2 ** 32 - 1)


@case("tcp-sequence-wrap-receiver", kernel="both", stack="server", at="server")
def tcp_sequence_wrap_receiver(lab):
    """The same seen by the server, whose SACK blocks lie on both sides of 2^32; its own first number is 2^32 - 1."""
    lab.rule(lab.client, is_data, {4, 7}, DROP)
    upload(lab)
    lab.pause(0.05)
    return shifted(lab.frames, 2 ** 32 - 5 * SEGMENT - 100, 2 ** 32 - 1)


@case("tcp-timestamp-wrap", kernel="both", stack="client")
def tcp_timestamp_wrap(lab):
    """The timestamps of both ends pass 2^32 (RFC 7323 5.2 compares them so that it does not matter). The values were moved afterwards."""
    near, far = lab.pair(client=SMALL)
    for _ in range(8):
        near.sendall(text(200))
        read_all(far, 200)
        far.sendall(b"ok")
        read_all(near, 2)
        lab.pause(0.02)
    near.close()
    read_all(far)
    far.close()
    lab.pause(0.05)
    return shifted(lab.frames, 1000, 2000, 2 ** 32 - 100, 2 ** 32 - 150)


@case("tcp-ack-per-segment", kernel="both", stack="server", at="server")
def tcp_ack_per_segment(lab):
    """Full segments at once to a server that reads as they come."""
    near, far = lab.pair()
    near.sendall(text(14600))
    read_all(far, 14600)
    near.close()
    read_all(far)
    far.close()


@case("tcp-idle-restart", kernel="both", stack="client")
def tcp_idle_restart(lab):
    """A burst, a pause of more than the retransmission timeout, and a burst that starts from a small window again (RFC 5681 4.1)."""
    near, far = lab.pair(client=SMALL)
    for _ in range(2):
        near.sendall(text(30 * SEGMENT))
        read_all(far, 30 * SEGMENT)
        lab.pause(0.9)
    near.close()
    read_all(far)
    far.close()
