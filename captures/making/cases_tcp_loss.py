"""What is lost, late, twice or out of order, and how the kernel recovers from each."""

import random

from case import case
from lab import DROP, TWICE, read_all, text
from packets import Packet, mark_ce

SMALL = {"TCP_MAXSEG": 300}  # small segments make small captures: 288 octets of data each, with timestamps
SEGMENT = 288


def carries(offset):
    """Whether a segment has the octet at `offset` of its sender's stream."""
    first = {}

    def holds(packet):
        if packet.flags & 2:
            first[packet.sender] = packet.seq + 1
        return packet.is_data and 0 <= offset - ((packet.seq - first[packet.sender]) & 0xFFFFFFFF) < len(packet.payload)
    return holds


def is_data(packet):
    return packet.is_data


def is_ack(packet):
    return packet.is_pure_ack


def upload(lab, segments=24, family=4, client=None, close=True):
    """The client sends so many small segments at once; the server reads all and closes after it."""
    near, far = lab.pair(family=family, client={**SMALL, **(client or {})})
    near.sendall(text(segments * SEGMENT))
    if close:
        near.shutdown(1)
        read_all(far)
        far.close()
        read_all(near)
        near.close()
    else:
        read_all(far, segments * SEGMENT)
        lab.pause(0.3)
        near.close()
        read_all(far)
        far.close()


@case("tcp-loss-fast-retransmit", kernel="both", stack="client")
def tcp_loss_fast_retransmit(lab):
    """The fifth segment is lost; without SACK and RACK, three duplicate ACKs bring it again (RFC 5681 3.2)."""
    lab.client.sysctl(tcp_sack=0, tcp_recovery=0)
    lab.rule(lab.client, is_data, {5}, DROP)
    upload(lab)


@case("tcp-loss-sack", kernel="both", stack="client")
def tcp_loss_sack(lab):
    """Segments 3, 5 and 7 are lost: SACK blocks say which, each is sent again once (RFC 6675)."""
    lab.client.sysctl(tcp_recovery=0)
    lab.rule(lab.client, is_data, {3, 5, 7}, DROP)
    upload(lab)


@case("tcp-loss-rack", kernel="both", stack="client")
def tcp_loss_rack(lab):
    """The fifth segment is lost; RACK declares it so by time (RFC 8985)."""
    lab.rule(lab.client, is_data, {5}, DROP)
    upload(lab)


@case("tcp-loss-no-sack-several", kernel="both", stack="client")
def tcp_loss_no_sack_several(lab):
    """Three segments of a window are lost and there is no SACK: NewReno's partial ACKs find one hole per round trip (RFC 6582)."""
    lab.client.sysctl(tcp_sack=0)
    lab.rule(lab.client, is_data, {4, 6, 8}, DROP)
    upload(lab)


@case("tcp-loss-tail", kernel="both", stack="client")
def tcp_loss_tail(lab):
    """The last two segments are lost; a tail loss probe brings the last again after two round trips, and its SACK shows that the other one is
    lost, too (RFC 8985 7)."""
    lab.rule(lab.client, carries(8 * SEGMENT - 1), {1}, DROP)
    lab.rule(lab.client, carries(7 * SEGMENT - 1), {1}, DROP)
    upload(lab, segments=8, close=False)


@case("tcp-loss-rto", kernel="both", stack="client")
def tcp_loss_rto(lab):
    """A segment and its probe are lost: the retransmission timer fires, the window falls to one segment (RFC 5681 3.1)."""
    lab.rule(lab.client, carries(SEGMENT * 3 - 1), {1, 2}, DROP)
    upload(lab, segments=3, close=False)


@case("tcp-loss-rto-back-off", kernel="both", stack="client")
def tcp_loss_rto_back_off(lab):
    """The same segment is lost five times: the timeout doubles each time (RFC 6298 5.5)."""
    lab.rule(lab.client, carries(0), {1, 2, 3, 4, 5}, DROP)
    upload(lab, segments=1, close=False)


@case("tcp-loss-of-retransmission", kernel="both", stack="client")
def tcp_loss_of_retransmission(lab):
    """A segment is lost, and so is its fast retransmission; RACK finds that, too."""
    lab.rule(lab.client, carries(4 * SEGMENT), {1, 2}, DROP)
    upload(lab, segments=40)


@case("tcp-loss-of-acks", kernel="both", stack="client")
def tcp_loss_of_acks(lab):
    """Half of the ACKs are lost, which the later ones make good."""
    lab.rule(lab.server, is_ack, {2, 3, 5, 6, 8, 9}, DROP)
    upload(lab)


@case("tcp-loss-random", kernel="both", stack="client", form="input.pcapng.zst")
def tcp_loss_random(lab):
    """One segment in twelve is lost, in both directions, of 60 kB each way."""
    near, far = lab.pair()
    chance = random.Random(11)
    for end in (lab.client, lab.server):
        lab.rule(end, lambda packet: chance.random() < 1 / 12, None, DROP)
    near.sendall(text(60000))
    far.sendall(text(60000))
    read_all(near, 60000)
    read_all(far, 60000)
    near.close()
    read_all(far)
    far.close()
    lab.pause(0.5)


@case("tcp-loss-ipv6", kernel="both", stack="client")
def tcp_loss_ipv6(lab):
    """Segments 3 and 4 are lost, over IPv6."""
    lab.rule(lab.client, is_data, {3, 4}, DROP)
    upload(lab, family=6)


@case("tcp-loss-reno", kernel="both", stack="client")
def tcp_loss_reno(lab):
    """A loss under Reno in place of CUBIC."""
    lab.client.sysctl(tcp_congestion_control="reno")
    lab.rule(lab.client, is_data, {6}, DROP)
    upload(lab, segments=40)


@case("tcp-loss-bbr", kernel="both", stack="client")
def tcp_loss_bbr(lab):
    """A loss under BBR, which paces."""
    lab.client.sysctl(tcp_congestion_control="bbr")
    lab.rule(lab.client, is_data, {6}, DROP)
    upload(lab, segments=40)


@case("tcp-receiver-sack", kernel="both", stack="server", at="server")
def tcp_receiver_sack(lab):
    """What a receiver says when segments 3, 5 and 7 do not come: SACK blocks, the latest first (RFC 2018 4)."""
    lab.rule(lab.client, is_data, {3, 5, 7}, DROP)
    upload(lab)


@case("tcp-receiver-no-sack", kernel="both", stack="server", at="server")
def tcp_receiver_no_sack(lab):
    """The same without SACK: a duplicate ACK for each segment out of order."""
    lab.client.sysctl(tcp_sack=0)
    lab.rule(lab.client, is_data, {3, 5}, DROP)
    upload(lab)


@case("tcp-duplicates", kernel="both", stack="client")
def tcp_duplicates(lab):
    """The network doubles two segments: the server's D-SACK blocks say so (RFC 2883)."""
    lab.rule(lab.client, is_data, {3, 6}, TWICE)
    upload(lab)


@case("tcp-receiver-duplicates", kernel="both", stack="server", at="server")
def tcp_receiver_duplicates(lab):
    """The same seen by the server, in whose place the stack is put."""
    lab.rule(lab.client, is_data, {3, 6}, TWICE)
    upload(lab)


@case("tcp-spurious-rto", kernel="both", stack="client")
def tcp_spurious_rto(lab):
    """A pause of the network of 0.6 s: the timer fires although nothing is lost; the ACKs and a D-SACK show it, and the congestion window is
    restored (RFC 3522, RFC 5682)."""
    for which in (6, 7, 8, 9):
        lab.rule(lab.client, carries(which * SEGMENT), {1}, 0.6)
    upload(lab, segments=10, close=False)


@case("tcp-reordering", kernel="both", stack="client")
def tcp_reordering(lab):
    """A segment overtaken by the next ones, by less than RACK's reordering window: nothing is sent again."""
    lab.rule(lab.client, is_data, {4}, 0.001)
    upload(lab)


@case("tcp-spurious-fast-retransmit", kernel="both", stack="client")
def tcp_spurious_fast_retransmit(lab):
    """A segment so late that it is sent again for nothing: a D-SACK says that both have come."""
    lab.rule(lab.client, is_data, {4}, 0.02)
    upload(lab)


@case("tcp-receiver-reordering", kernel="both", stack="server", at="server")
def tcp_receiver_reordering(lab):
    """Segments come out of order to the server."""
    lab.rule(lab.client, is_data, {4, 9}, 0.002)
    upload(lab)


@case("tcp-old-segment", kernel="both", stack="server", at="server")
def tcp_old_segment(lab):
    """A segment that was acknowledged long ago comes once more: it draws an ACK with a D-SACK block, and no data."""
    kept = []
    lab.rule(lab.client, is_data, {2}, lambda frame: kept.append(frame) or frame)
    near, far = lab.pair(client=SMALL)
    near.sendall(text(6 * SEGMENT))
    read_all(far, 6 * SEGMENT)
    lab.pause(0.1)
    lab.inject(lab.server, kept[0])
    lab.pause(0.05)
    near.close()
    read_all(far)
    far.close()


@case("tcp-checksum-wrong", kernel="both", stack="server", at="server")
def tcp_checksum_wrong(lab):
    """A segment is damaged on the way: the server drops it without a word, and it comes again."""
    lab.rule(lab.client, is_data, {4}, lambda frame: frame[:-1] + bytes([frame[-1] ^ 1]))
    upload(lab)


@case("tcp-resegmented", kernel="both", stack="server", at="server")
def tcp_resegmented(lab):
    """Small segments were lost; the kernel sends them again as one large one."""
    near, far = lab.pair(client={"TCP_NODELAY": 1})
    lab.rule(lab.client, is_data, {2, 3, 4, 5, 6}, DROP)
    for _ in range(6):
        near.sendall(text(100))
        lab.pause(0.002)
    read_all(far, 600)
    near.close()
    read_all(far)
    far.close()


@case("tcp-ecn", kernel="both", stack="client")
def tcp_ecn(lab):
    """ECN negotiated; two segments are marked CE: the server echoes ECE until the client says CWR (RFC 3168)."""
    lab.client.sysctl(tcp_ecn=1)
    lab.server.sysctl(tcp_ecn=1)
    lab.rule(lab.client, is_data, {5, 12}, mark_ce)
    upload(lab, segments=40)


@case("tcp-ecn-receiver", kernel="both", stack="server", at="server")
def tcp_ecn_receiver(lab):
    """The same over IPv6, seen by the server which receives the marks."""
    lab.client.sysctl(tcp_ecn=1)
    lab.server.sysctl(tcp_ecn=1)
    lab.rule(lab.client, is_data, {5, 12}, mark_ce)
    upload(lab, segments=40, family=6)


@case("tcp-ecn-refused", kernel="both", stack="client")
def tcp_ecn_refused(lab):
    """The client asks for ECN, the server has it switched off."""
    lab.client.sysctl(tcp_ecn=1)
    lab.server.sysctl(tcp_ecn=0)
    upload(lab, segments=4)


@case("tcp-window-shrunk-on-the-way", kernel="both", stack="client")
def tcp_window_shrunk_on_the_way(lab):
    """A middlebox makes the server's window small, and smaller than what is in flight: the client sends nothing beyond it."""
    from packets import refill_checksum

    def small(frame):
        at = Packet(frame).transport_at
        return refill_checksum(frame[:at + 14] + b"\0\1" + frame[at + 16:])

    lab.rule(lab.server, is_ack, {3, 4}, small)
    upload(lab, segments=30)
