"""Hostile packets, as tests/conformance/attacks.csv names them, and what the kernel answers. The attacker is 192.0.2.66, which is nobody:
its packets are made here and put before the server's device."""

import struct
import time

import packets
from case import case
from lab import read_all, text
from packets import (ACK, FIN, ICMP, PSH, RST, SACK_PERMITTED, SYN, TCP, UDP, URG, Packet, ethernet, icmp, icmpv6, ipv4, ipv6, option_mss, option_sack,
                     option_timestamps)

ATTACKER, VICTIM, CLIENT = "192.0.2.66", "192.0.2.2", "192.0.2.1"
ATTACKER6, VICTIM6 = "2001:db8:1::66", "2001:db8:1::2"
ATTACKER_MAC, VICTIM_MAC, CLIENT_MAC = "02:00:00:00:00:66", "02:00:00:00:00:02", "02:00:00:00:00:01"


class Attacker:
    """What it sends comes to the server only; what the server sends to it goes nowhere."""

    def __init__(self, lab):
        self.lab = lab
        for address in (ATTACKER, ATTACKER6):
            lab.server.run("ip", "neigh", "add", address, "lladdr", ATTACKER_MAC, "dev", "eth0")

    def send(self, packet, mac=VICTIM_MAC, pause=0.01):
        kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
        self.lab.inject(self.lab.server, ethernet(ATTACKER_MAC, mac, kind, packet))
        time.sleep(pause)

    def tcp(self, sport, dport, seq, ack, flags, payload=b"", source=ATTACKER, pause=0.01, **how):
        outer = {name: how.pop(name) for name in ("ttl", "tos") if name in how}
        self.send(ipv4(source, VICTIM, TCP, packets.tcp(source, VICTIM, sport, dport, seq, ack, flags, payload, **how), **outer), pause=pause)

    def answers(self):
        """TCP segments of the server to the attacker so far."""
        to = packets.packed(ATTACKER)
        return [packet for packet in (Packet(frame.octets) for frame in list(self.lab.frames)) if packet.protocol == TCP and packet.destination == to]

    def open(self, sport, dport=80, options=b"", window=64240):
        """A handshake; returns the next sequence number of each side."""
        self.tcp(sport, dport, 1000, 0, SYN, options=options, pause=0.03)
        syn_ack = next(packet for packet in self.answers() if packet.is_syn_ack and packet.dport == sport)
        self.tcp(sport, dport, 1001, syn_ack.seq + 1, ACK, options=self.stamps(options), window=window)
        return 1001, (syn_ack.seq + 1) & 0xFFFFFFFF

    @staticmethod
    def stamps(options):
        return option_timestamps(1001, 0) if b"\x08\x0a" in options else b""


def connection(lab):
    """An innocent connection between client and server; the next numbers of both, as one on the path knows them."""
    near, far = lab.pair()
    near.sendall(b"hello")
    read_all(far, 5)
    far.sendall(b"welcome")
    read_all(near, 7)
    time.sleep(0.05)
    last = [packet for packet in (Packet(frame.octets) for frame in list(lab.frames)) if packet.protocol == TCP][-1]
    client, server = (last.seq, last.ack) if last.source == packets.packed(CLIENT) else (last.ack, last.seq)
    return near, far, near.getsockname()[1], client, server


def finish(near, far):
    """It works still."""
    near.sendall(b"good bye")
    near.shutdown(1)
    read_all(far)
    far.close()
    read_all(near)
    near.close()


def spoof(lab, port, seq, ack, flags, payload=b"", **how):
    """As if the client had sent it."""
    segment = packets.tcp(CLIENT, VICTIM, port, 80, seq, ack, flags, payload, **how)
    lab.inject(lab.server, ethernet(CLIENT_MAC, VICTIM_MAC, 0x0800, ipv4(CLIENT, VICTIM, TCP, segment)))
    time.sleep(0.03)


@case("attack-blind-reset", kernel="both", stack="server", at="server")
def blind_reset(lab):
    """Resets in the window but not at its edge draw challenge ACKs, those outside nothing; the connection lives on (RFC 5961 3)."""
    near, far, port, client, server = connection(lab)
    for offset in (1000, 20000, -1000, 0x40000000):
        spoof(lab, port, client + offset, 0, RST)
    finish(near, far)


@case("attack-blind-syn", kernel="both", stack="server", at="server")
def blind_syn(lab):
    """SYNs into an established connection, in the window and outside, draw challenge ACKs (RFC 5961 4)."""
    near, far, port, client, server = connection(lab)
    lab.server.sysctl(tcp_invalid_ratelimit=0)
    for offset in (0, 1000, 0x40000000):
        spoof(lab, port, client + offset, 0, SYN)
    finish(near, far)


@case("attack-blind-data", kernel="both", stack="server", at="server")
def blind_data(lab):
    """Data whose acknowledgement is older than anything in flight, or newer than anything sent, are not taken (RFC 5961 5)."""
    near, far, port, client, server = connection(lab)
    for offset in (-0x10000000, 100000):
        spoof(lab, port, client, server + offset, PSH | ACK, b"evil")
    finish(near, far)


@case("attack-reset-exact", kernel="both", stack="server", at="server", golden=True)
def exact_reset(lab):
    """A reset with exactly the next number does end the connection."""
    near, far, port, client, server = connection(lab)
    spoof(lab, port, client, 0, RST)
    try:
        far.recv(10)
    except ConnectionResetError:
        near.close()
        return
    raise RuntimeError("the reset was not taken")


@case("attack-icmp-hard-error", kernel="both", stack="server", at="server")
def icmp_hard_error(lab):
    """ICMP port unreachable about an established connection, with a number that is not in flight and with one that might be: it lives on
    (RFC 5927 5.2)."""
    near, far, port, client, server = connection(lab)
    for number in (server - 100000, server):
        quoted = ipv4(VICTIM, CLIENT, TCP, packets.tcp(VICTIM, CLIENT, 80, port, number, client, ACK))[:28]
        for code in (3, 2):
            lab.inject(lab.server, ethernet(CLIENT_MAC, VICTIM_MAC, 0x0800, ipv4(CLIENT, VICTIM, ICMP, icmp(3, code, 0, quoted))))
            time.sleep(0.02)
    finish(near, far)


@case("attack-icmp-small-mtu", kernel="both", stack="server", at="server")
def icmp_small_mtu(lab):
    """Fragmentation needed, of a next hop that takes 68 octets, about nothing in flight: the server's segments do not become tiny (RFC 5927 7)."""
    near, far, port, client, server = connection(lab)
    quoted = ipv4(VICTIM, CLIENT, TCP, packets.tcp(VICTIM, CLIENT, 80, port, server - 5000, client, ACK), dont=True)[:28]
    lab.inject(lab.server, ethernet(CLIENT_MAC, VICTIM_MAC, 0x0800, ipv4(CLIENT, VICTIM, ICMP, icmp(3, 4, 68, quoted))))
    time.sleep(0.03)
    far.sendall(text(3000))
    read_all(near, 3000)
    finish(near, far)


@case("attack-ack-storm", kernel="both", stack="server", at="server")
def ack_storm(lab):
    """Injected data make both ends believe that the other is wrong: each ACK draws an ACK, until a limit ends it (RFC 5961 7)."""
    lab.client.sysctl(tcp_timestamps=0)  # else the injected octets would need a timestamp
    near, far, port, client, server = connection(lab)
    spoof(lab, port, client, server, PSH | ACK, b"injected octets")
    near.sendall(b"good bye")
    time.sleep(0.7)
    near.close()
    far.close()


@case("attack-syn-flood", kernel="server", stack="server", at="server")
def syn_flood(lab):
    """Forty SYNs from as many addresses to a listener with a queue of four: it turns to cookies and answers on."""
    listener = lab.listen(backlog=4)
    lab.server.sysctl(tcp_max_syn_backlog=4, tcp_synack_retries=0)
    for number in range(40):
        source = f"192.0.2.{100 + number}"
        lab.server.run("ip", "neigh", "add", source, "lladdr", ATTACKER_MAC, "dev", "eth0")
        segment = packets.tcp(source, VICTIM, 2000 + number, 80, 7 * number, 0, SYN, options=option_mss(1460))
        lab.inject(lab.server, ethernet(ATTACKER_MAC, VICTIM_MAC, 0x0800, ipv4(source, VICTIM, TCP, segment)))
        time.sleep(0.002)
    lab.pause(0.1)
    listener.close()


@case("attack-land", at="server")
def land(lab):
    """LAND: a SYN from the server's own address and port. No answer."""
    lab.listen()
    segment = packets.tcp(VICTIM, VICTIM, 80, 80, 1, 0, SYN)
    Attacker(lab).send(ipv4(VICTIM, VICTIM, TCP, segment), pause=0.1)


@case("attack-scans", kernel="server", stack="server", at="server")
def scans(lab):
    """SYN, FIN, NULL, Xmas, ACK and Maimon scans of an open and of a closed port."""
    lab.listen()
    attacker = Attacker(lab)
    for port in (80, 81):
        for number, flags in enumerate((SYN, FIN, 0, FIN | PSH | URG, ACK, FIN | ACK, 0xFF)):
            attacker.tcp(3000 + port * 10 + number, port, 5000, 6000 if flags & ACK else 0, flags)
    attacker.tcp(3800, 80, 5001, 0, RST)


@case("attack-bad-options", kernel="server", stack="server", at="server")
def bad_options(lab):
    """SYNs whose options lie: length 0, length 1, beyond the header, MSS of 0, 1 and 65535, a scale of 255, ten MSS at once, MSS cut short."""
    lab.listen(backlog=64)
    attacker = Attacker(lab)
    attempts = (b"\x02\x00\x05\xb4", b"\x02\x01\x05\xb4", b"\x02\xff\x05\xb4", option_mss(0), option_mss(1), option_mss(65535), b"\x03\x03\xff\x00",
                b"".join(option_mss(536 + number) for number in range(10)), b"\x01\x01\x02\x04", b"\x08\x03\x00\x00", b"\xfd\x02\x00\x00")
    for number, options in enumerate(attempts):
        attacker.tcp(4000 + number, 80, 1, 0, SYN, options=options)
        attacker.tcp(4000 + number, 80, 2, 0, RST)


@case("attack-data-offset", stack="server", at="server")
def data_offset(lab):
    """Segments whose data offset is 0, 4, or beyond their end, and segments of fewer than 20 octets: no answer."""
    lab.listen()
    attacker = Attacker(lab)
    for offset in (0, 4, 15):
        attacker.tcp(5000 + offset, 80, 1, 0, SYN, offset=offset)
    whole = packets.tcp(ATTACKER, VICTIM, 5100, 80, 1, 0, SYN)
    for length in (0, 8, 19):
        attacker.send(ipv4(ATTACKER, VICTIM, TCP, packets.with_checksum(ATTACKER, VICTIM, TCP, whole[:length], 16) if length > 18 else whole[:length]))


@case("attack-bad-headers", stack="server", at="server")
def bad_headers(lab):
    """IPv4 headers that lie: a wrong checksum, a length beyond the frame, one below the header, version 5, a header of 16 octets, source
    255.255.255.255, 127.0.0.1, 224.0.0.1 and 0.0.0.0. Only the last ping, which is well, is answered."""
    attacker = Attacker(lab)
    ping = icmp(8, 0, 0x00420001, b"hello, who are you?")
    good = ipv4(ATTACKER, VICTIM, ICMP, ping)
    attacker.send(good[:10] + b"\x12\x34" + good[12:])
    attacker.send(ipv4(ATTACKER, VICTIM, ICMP, ping, total=1000))
    attacker.send(ipv4(ATTACKER, VICTIM, ICMP, ping, total=12))
    lab.inject(lab.server, ethernet(ATTACKER_MAC, VICTIM_MAC, 0x0800, b"\x55" + good[1:]))
    attacker.send(b"\x44" + good[1:])
    for source in ("255.255.255.255", "127.0.0.1", "224.0.0.1", "0.0.0.0"):
        attacker.send(ipv4(source, VICTIM, ICMP, ping))
    attacker.send(good, pause=0.05)


@case("attack-fragments", stack="server", at="server")
def fragments(lab):
    """Teardrop, overlapping fragments that would rewrite a header, the ping of death, and a fragment without end: nothing is delivered."""
    lab.server.sysctl(ipfrag_time=1)
    attacker = Attacker(lab)
    datagram = packets.udp(ATTACKER, VICTIM, 53, 9000, text(60))
    attacker.send(ipv4(ATTACKER, VICTIM, UDP, datagram[:36].ljust(40, b"."), identification=1, more=True))
    attacker.send(ipv4(ATTACKER, VICTIM, UDP, b"tear", identification=1, offset=24))
    segment = packets.tcp(ATTACKER, VICTIM, 6000, 80, 1, 0, SYN, options=option_mss(1460))
    attacker.send(ipv4(ATTACKER, VICTIM, TCP, segment[:16], identification=2, more=True))
    attacker.send(ipv4(ATTACKER, VICTIM, TCP, segment[8:], identification=2, offset=8))
    ping = icmp(8, 0, 1, text(1472))
    attacker.send(ipv4(ATTACKER, VICTIM, ICMP, ping, identification=3, more=True))
    attacker.send(ipv4(ATTACKER, VICTIM, ICMP, text(1480), identification=3, offset=65528))
    attacker.send(ipv4(ATTACKER, VICTIM, ICMP, text(64), identification=4, offset=800, more=True))
    lab.pause(1.4)


@case("attack-fragments-ipv6", stack="server", at="server")
def fragments_ipv6(lab):
    """IPv6: overlapping fragments (RFC 5722), a fragment whose length is no multiple of 8, a chain of headers that is not whole in the first
    fragment (RFC 7112), and an atomic fragment, which is answered."""
    lab.server.set("ipv6/ip6frag_time", 1)
    attacker = Attacker(lab)
    echo = icmpv6(ATTACKER6, VICTIM6, 128, 0, 0x00010001, text(120))

    def piece(offset, payload, more, identification, protocol=packets.ICMPV6):
        attacker.send(ipv6(ATTACKER6, VICTIM6, 44, packets.fragment_header(protocol, offset, more, identification) + payload))

    piece(0, echo[:64], True, 1)
    piece(48, echo[48:], False, 1)
    piece(0, echo[:61], True, 2)
    piece(0, b"\x3a\x01" + bytes(6), True, 3, protocol=60)
    piece(0, echo, False, 4)
    lab.pause(1.4)


@case("attack-ipv6-headers", stack="server", at="server")
def ipv6_headers(lab):
    """A type 0 routing header with segments left (RFC 5095), a hop-by-hop header that is not the first, an unknown option with high bits 11 to a
    group, and a destination of ::1 from outside."""
    attacker = Attacker(lab)
    echo = icmpv6(ATTACKER6, VICTIM6, 128, 0, 0x00010001, b"hello")
    route = struct.pack("!BBBBI", packets.ICMPV6, 2, 0, 1, 0) + packets.packed("2001:db8:1::1")
    attacker.send(ipv6(ATTACKER6, VICTIM6, 43, route + echo))
    attacker.send(ipv6(ATTACKER6, VICTIM6, 60, struct.pack("!BBBBI", 0, 0, 1, 4, 0) + struct.pack("!BBBBI", packets.ICMPV6, 0, 1, 4, 0) + echo))
    to_all = icmpv6(ATTACKER6, "ff02::1", 128, 0, 1, b"hello")
    lab.inject(lab.server, ethernet(ATTACKER_MAC, "33:33:00:00:00:01", 0x86DD, ipv6(ATTACKER6, "ff02::1", 0, struct.pack("!BBBBI", packets.ICMPV6, 0, 0xC9, 4, 0) + to_all)))
    attacker.send(ipv6(ATTACKER6, "::1", packets.ICMPV6, icmpv6(ATTACKER6, "::1", 128, 0, 1, b"hello")), pause=0.1)


@case("attack-smurf", stack="server", at="server")
def smurf(lab):
    """Echo requests and UDP to the broadcast address, and a TCP SYN in a broadcast frame: none is answered."""
    lab.listen()
    attacker = Attacker(lab)
    everybody = "ff:ff:ff:ff:ff:ff"
    attacker.send(ipv4(CLIENT, "192.0.2.255", ICMP, icmp(8, 0, 1, b"smurf")), everybody)
    attacker.send(ipv4(CLIENT, "192.0.2.255", UDP, packets.udp(CLIENT, "192.0.2.255", 7, 9001, b"fraggle")), everybody)
    attacker.send(ipv4(ATTACKER, VICTIM, TCP, packets.tcp(ATTACKER, VICTIM, 7000, 80, 1, 0, SYN)), everybody, pause=0.1)


@case("attack-arp-poison", stack="server", at="server")
def arp_poison(lab):
    """ARP replies that nobody asked for, gratuitous ones that claim the client's address, one with a group address, one that lies about lengths."""
    lab.client.run("ping", "-c", "1", VICTIM)
    reply = packets.arp(2, ATTACKER_MAC, CLIENT, VICTIM_MAC, VICTIM)
    attempts = (reply, packets.arp(2, ATTACKER_MAC, "192.0.2.99", VICTIM_MAC, VICTIM), packets.arp(1, ATTACKER_MAC, "192.0.2.98", "00:00:00:00:00:00", "192.0.2.98"),
                packets.arp(2, "ff:ff:ff:ff:ff:ff", "192.0.2.97", VICTIM_MAC, VICTIM), reply[:4] + b"\xff\xff" + reply[6:])
    for payload in attempts:
        lab.inject(lab.server, ethernet(ATTACKER_MAC, VICTIM_MAC, 0x0806, payload))
        time.sleep(0.02)


@case("attack-ndp-poison", stack="server", at="server")
def ndp_poison(lab):
    """Advertisements that nobody asked for, one that was forwarded (hop limit 64), one with an option of length 0, and a redirect from a
    stranger: none is believed."""
    lab.client.run("ping", "-c", "1", VICTIM6)
    target = packets.packed("2001:db8:1::1")
    option = b"\x02\x01" + packets.mac_octets(ATTACKER_MAC)

    def send(body, kind=136, rest=0x20000000, hops=255):
        message = icmpv6(ATTACKER6, VICTIM6, kind, 0, rest, body)
        lab.inject(lab.server, ethernet(ATTACKER_MAC, VICTIM_MAC, 0x86DD, ipv6(ATTACKER6, VICTIM6, packets.ICMPV6, message, hops=hops)))
        time.sleep(0.02)

    send(packets.packed("2001:db8:1::98") + option)
    send(target + option, hops=64)
    send(target + b"\x02\x00" + bytes(6))
    send(packets.packed(ATTACKER6) + packets.packed("2001:db8:9::1"), kind=137, rest=0)


@case("attack-sack-panic", kernel="server", stack="server", at="server")
def sack_panic(lab):
    """SACK panic (CVE-2019-11477): an MSS of 48, and SACK blocks that cut what is in flight to crumbs. The server goes on sending."""
    listener = lab.listen()
    attacker = Attacker(lab)
    mine, theirs = attacker.open(8000, options=option_mss(48) + SACK_PERMITTED)
    far, _ = listener.accept()
    far.sendall(text(2000))
    lab.pause(0.05)
    for number in range(1, 9):
        blocks = [(theirs + 96 * number + 48 * which, theirs + 96 * number + 48 * which + 17) for which in range(3)]
        attacker.tcp(8000, 80, mine, theirs, ACK, options=option_sack(*blocks), pause=0.005)
    for _ in range(200):
        segments = [packet for packet in attacker.answers() if packet.is_data]
        got = max((((packet.seq - theirs) & 0xFFFFFFFF) + len(packet.payload) for packet in segments), default=0)
        attacker.tcp(8000, 80, mine, theirs + got, ACK, pause=0.02)
        if got == 2000:
            break
    attacker.tcp(8000, 80, mine, 0, RST)


@case("attack-ack-division", kernel="server", stack="server", at="server", form="input.pcapng.gz")
def ack_division(lab):
    """A receiver acknowledges one segment in ten pieces, to open the window faster (Savage 1999): the window grows by octets."""
    listener = lab.listen()
    attacker = Attacker(lab)
    mine, theirs = attacker.open(8100, options=option_mss(1000))
    far, _ = listener.accept()
    far.setblocking(False)
    far.send(text(40000))
    lab.pause(0.03)
    for step in range(1, 11):
        attacker.tcp(8100, 80, mine, theirs + 100 * step, ACK, pause=0.003)
    lab.pause(0.03)
    attacker.tcp(8100, 80, mine, 0, RST)


@case("attack-optimistic-ack", kernel="server", stack="server", at="server")
def optimistic_ack(lab):
    """ACKs for what was not sent yet: each draws an ACK, or nothing, and no data."""
    listener = lab.listen()
    attacker = Attacker(lab)
    mine, theirs = attacker.open(8200, options=option_mss(300))
    far, _ = listener.accept()
    far.sendall(text(600))
    lab.pause(0.03)
    for step in (100000, 5000, 601):
        attacker.tcp(8200, 80, mine, theirs + step, ACK, pause=0.02)
    attacker.tcp(8200, 80, mine, theirs + 600, ACK)
    attacker.tcp(8200, 80, mine, 0, RST)


@case("attack-window-zero-forever", kernel="server", stack="server", at="server")
def window_zero(lab):
    """Sockstress: the handshake, then a window of 0 for good. The server's probes become rarer."""
    listener = lab.listen()
    attacker = Attacker(lab)
    mine, theirs = attacker.open(8300)
    far, _ = listener.accept()
    attacker.tcp(8300, 80, mine, theirs, ACK, window=0)
    far.sendall(text(100))
    answered = 0
    for _ in range(40):
        lab.pause(0.05)
        probes = [packet for packet in attacker.answers() if packet.dport == 8300 and not packet.is_syn_ack]
        if len(probes) > answered:
            answered = len(probes)
            attacker.tcp(8300, 80, mine, theirs, ACK, window=0)
    attacker.tcp(8300, 80, mine, 0, RST)


@case("attack-urgent-pointer", kernel="server", stack="server", at="server")
def urgent_pointer(lab):
    """WinNuke and its kin: urgent pointers of 0, of 3 in one octet of data, and of 65535."""
    listener = lab.listen()
    attacker = Attacker(lab)
    mine, theirs = attacker.open(8400)
    far, _ = listener.accept()
    for urgent in (0, 3, 65535):
        attacker.tcp(8400, 80, mine, theirs, PSH | ACK | URG, b"!", urgent=urgent)
        mine += 1
    lab.pause(0.05)
    attacker.tcp(8400, 80, mine, 0, RST)


@case("attack-old-timestamps", kernel="server", stack="server", at="server")
def old_timestamps(lab):
    """Segments with timestamps of the past are dropped and answered with an ACK (PAWS, RFC 7323 5); a reset without timestamps is taken."""
    listener = lab.listen()
    lab.server.sysctl(tcp_invalid_ratelimit=0)
    attacker = Attacker(lab)
    mine, theirs = attacker.open(8500, options=option_mss(1460) + option_timestamps(1000, 0))
    far, _ = listener.accept()
    echo = int.from_bytes(next(packet for packet in attacker.answers() if packet.is_syn_ack).option(8)[:4], "big")
    attacker.tcp(8500, 80, mine, theirs, PSH | ACK, b"new", options=option_timestamps(2000, echo))
    attacker.tcp(8500, 80, mine + 3, theirs, PSH | ACK, b"old", options=option_timestamps(500, echo))
    attacker.tcp(8500, 80, mine + 3, theirs, PSH | ACK, b"gap", options=option_timestamps(2001, echo))
    read_all(far, 6)
    attacker.tcp(8500, 80, mine + 6, 0, RST)


@case("attack-udp-echo-loop", stack="server", at="server")
def udp_echo_loop(lab):
    """UDP from port 7 to port 19, from a stranger, from the broadcast address and with a length that lies. Linux tells even the broadcast
    address that the port is closed, which RFC 1122 3.2.2 forbids; no loop comes of it."""
    attacker = Attacker(lab)
    attacker.send(ipv4(ATTACKER, VICTIM, UDP, packets.udp(ATTACKER, VICTIM, 7, 19, b"ping-pong")))
    attacker.send(ipv4("192.0.2.255", VICTIM, UDP, packets.udp("192.0.2.255", VICTIM, 7, 19, b"ping-pong")))
    wrong = packets.udp(ATTACKER, VICTIM, 7, 19, b"length")
    attacker.send(ipv4(ATTACKER, VICTIM, UDP, wrong[:4] + struct.pack("!H", 4000) + wrong[6:]), pause=0.05)


@case("attack-slow-reader", kernel="server", stack="server", at="server")
def slow_reader(lab):
    """The attacker takes ten octets at a time: the server is not silly and sends nothing until its timer overrules (RFC 9293 3.8.6.2.1)."""
    listener = lab.listen()
    attacker = Attacker(lab)
    mine, theirs = attacker.open(8600, options=option_mss(536), window=10)
    far, _ = listener.accept()
    far.sendall(text(1000))
    got = 0
    for _ in range(3):
        lab.pause(0.35)
        segments = [packet for packet in attacker.answers() if packet.is_data]
        got = max([got] + [((packet.seq - theirs) & 0xFFFFFFFF) + len(packet.payload) for packet in segments])
        attacker.tcp(8600, 80, mine, theirs + got, ACK, window=10)
    attacker.tcp(8600, 80, mine, 0, RST)
