"""Packets as octets: what the cases craft, and what the wire looks at to decide what to do with a frame."""

import ipaddress
import struct

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
ICMP, IGMP, TCP, UDP, ICMPV6 = 1, 2, 6, 17, 58
ETHERTYPES = {4: 0x0800, 6: 0x86DD}


def checksum(octets):
    """RFC 1071."""
    if len(octets) % 2:
        octets += b"\0"
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packed(address):
    return ipaddress.ip_address(address).packed


def mac_octets(mac):
    return bytes.fromhex(mac.replace(":", ""))


def pseudo_header(source, destination, protocol, length):
    """Of either family; `source` and `destination` are packed addresses."""
    if len(source) == 4:
        return source + destination + struct.pack("!BBH", 0, protocol, length)
    return source + destination + struct.pack("!IHBB", length, 0, 0, protocol)


def ethernet(source, destination, kind, payload):
    """A frame; padded to 60 octets, as a network card does."""
    return (mac_octets(destination) + mac_octets(source) + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def arp(operation, sender_mac, sender, target_mac, target):
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac_octets(sender_mac) + packed(sender) + mac_octets(target_mac) + packed(target)


def ipv4(source, destination, protocol, payload, *, ttl=64, identification=0x7A11, offset=0, more=False, dont=False, tos=0, options=b"", total=None):
    """`offset` in octets; `total`: what the length field says, where it is to lie."""
    header_length = 20 + len(options)
    flags = (0x4000 if dont else 0) | (0x2000 if more else 0) | offset // 8
    header = struct.pack("!BBHHHBBH", 0x40 | header_length // 4, tos, total or header_length + len(payload), identification, flags, ttl, protocol, 0)
    header += packed(source) + packed(destination) + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ipv6(source, destination, protocol, payload, *, hops=64, traffic_class=0, label=0):
    return struct.pack("!IHBB", 6 << 28 | traffic_class << 20 | label, len(payload), protocol, hops) + packed(source) + packed(destination) + payload


def ip(source, destination, protocol, payload, **how):
    return (ipv6 if ":" in source else ipv4)(source, destination, protocol, payload, **how)


def fragment_header(protocol, offset, more, identification):
    """IPv6's; `offset` in octets."""
    return struct.pack("!BBHI", protocol, 0, offset | int(more), identification)


def with_checksum(source, destination, protocol, segment, at):
    """`segment` with the checksum of it and its pseudo-header at the octet `at`."""
    value = checksum(pseudo_header(packed(source), packed(destination), protocol, len(segment)) + segment)
    if protocol == UDP and value == 0:
        value = 0xFFFF
    return segment[:at] + struct.pack("!H", value) + segment[at + 2:]


def tcp(source, destination, sport, dport, seq, ack, flags, payload=b"", *, window=64240, options=b"", urgent=0, offset=None):
    """`options` are padded with zeros; `offset`: the data offset in words, where it is to lie."""
    options = options.ljust((len(options) + 3) // 4 * 4, b"\0")
    words = 5 + len(options) // 4 if offset is None else offset
    header = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, words << 4, flags, window, 0, urgent)
    return with_checksum(source, destination, TCP, header + options + payload, 16)


def udp(source, destination, sport, dport, payload):
    return with_checksum(source, destination, UDP, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload, 6)


def icmp(kind, code, rest, payload):
    message = struct.pack("!BBHI", kind, code, 0, rest) + payload
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def icmpv6(source, destination, kind, code, rest, payload):
    return with_checksum(source, destination, ICMPV6, struct.pack("!BBHI", kind, code, 0, rest) + payload, 2)


def option_mss(size):
    return struct.pack("!BBH", 2, 4, size)


def option_scale(shift):
    return struct.pack("!BBB", 3, 3, shift)


def option_timestamps(value, echo):
    return struct.pack("!BBBBII", 1, 1, 8, 10, value & 0xFFFFFFFF, echo & 0xFFFFFFFF)


SACK_PERMITTED = b"\x04\x02"


def option_sack(*blocks):
    return b"\x01\x01" + struct.pack("!BB", 5, 2 + 8 * len(blocks)) + b"".join(struct.pack("!II", left & 0xFFFFFFFF, right & 0xFFFFFFFF) for left, right in blocks)


class Packet:
    """A frame from `sender` (the name of a node), taken apart as far as rules ask: zero or empty where it has no such field."""

    def __init__(self, frame, sender=""):
        self.frame, self.sender = frame, sender
        self.kind = struct.unpack_from("!H", frame, 12)[0]
        self.version = {0x0800: 4, 0x86DD: 6}.get(self.kind, 0)
        self.protocol = self.flags = self.seq = self.ack = self.sport = self.dport = self.window = 0
        self.source = self.destination = self.payload = self.options = b""
        self.transport_at = 0
        if self.version == 4:
            self._ipv4(14)
        elif self.version == 6:
            self._ipv6(14)
        if self.transport_at and self.protocol == TCP:
            self._tcp()
        elif self.transport_at and self.protocol == UDP:
            self.sport, self.dport = struct.unpack_from("!HH", frame, self.transport_at)
            self.payload = frame[self.transport_at + 8:self.end]

    def _ipv4(self, at):
        length, = struct.unpack_from("!H", self.frame, at + 2)
        fragment, = struct.unpack_from("!H", self.frame, at + 6)
        self.protocol, self.end = self.frame[at + 9], at + length
        self.source, self.destination = self.frame[at + 12:at + 16], self.frame[at + 16:at + 20]
        if fragment & 0x1FFF == 0:
            self.transport_at = at + (self.frame[at] & 15) * 4

    def _ipv6(self, at):
        length, self.protocol = struct.unpack_from("!HB", self.frame, at + 4)
        self.source, self.destination = self.frame[at + 8:at + 24], self.frame[at + 24:at + 40]
        self.end, at = at + 40 + length, at + 40
        while self.protocol in (0, 43, 60, 44):
            fragment = self.protocol == 44 and struct.unpack_from("!H", self.frame, at + 2)[0] & 0xFFF8
            self.protocol, at = self.frame[at], at + (8 if self.protocol == 44 else 8 + self.frame[at + 1] * 8)
            if fragment:
                return
        self.transport_at = at

    def _tcp(self):
        at = self.transport_at
        self.sport, self.dport, self.seq, self.ack, words, self.flags, self.window = struct.unpack_from("!HHIIBBH", self.frame, at)
        self.options = self.frame[at + 20:at + (words >> 4) * 4]
        self.payload = self.frame[at + (words >> 4) * 4:self.end]

    # What rules ask for.
    @property
    def is_syn(self):
        return self.protocol == TCP and self.flags & (SYN | ACK) == SYN

    @property
    def is_syn_ack(self):
        return self.protocol == TCP and self.flags & (SYN | ACK) == SYN | ACK

    @property
    def is_data(self):
        return self.protocol == TCP and len(self.payload) > 0

    @property
    def is_fin(self):
        return self.protocol == TCP and bool(self.flags & FIN)

    @property
    def is_pure_ack(self):
        return self.protocol == TCP and not self.payload and self.flags & ~(ECE | CWR | PSH) == ACK

    def option(self, wanted):
        """The value of a TCP option, or None."""
        at = 0
        while at < len(self.options) and self.options[at] != 0:
            if self.options[at] == 1:
                at += 1
                continue
            if self.options[at] == wanted:
                return self.options[at + 2:at + self.options[at + 1]]
            at += self.options[at + 1]
        return None


def mark_ce(frame):
    """The frame with Congestion Experienced in its IP header (RFC 3168)."""
    packet = Packet(frame)
    if packet.version == 6:
        return frame[:15] + bytes([frame[15] | 0x30]) + frame[16:]
    header = bytearray(frame[14:14 + (frame[14] & 15) * 4])
    header[1] |= 3
    header[10:12] = b"\0\0"
    header[10:12] = struct.pack("!H", checksum(bytes(header)))
    return frame[:14] + bytes(header) + frame[14 + len(header):]


def refill_checksum(frame):
    """The frame with the right TCP checksum."""
    packet = Packet(frame)
    at = packet.transport_at
    segment = frame[at:at + 16] + b"\0\0" + frame[at + 18:packet.end]
    value = checksum(pseudo_header(packet.source, packet.destination, TCP, len(segment)) + segment)
    return frame[:at + 16] + struct.pack("!H", value) + frame[at + 18:]
