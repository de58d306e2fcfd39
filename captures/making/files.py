"""Capture files: pcap and pcapng, written and read back, compressed if the name says so."""

import gzip
import pathlib
import struct
import subprocess

ETHERNET, NULL, RAW, LOOP = 1, 0, 101, 108


class Frame:
    """A frame of a capture: when (nanoseconds since 1970), its octets, how long it was, on which interface, and a comment."""

    def __init__(self, when, octets, *, length=None, interface=0, comment=None):
        self.when, self.octets, self.interface, self.comment = when, octets, interface, comment
        self.length = len(octets) if length is None else length


def block(kind, body):
    body += b"\0" * (-len(body) % 4)
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def pcapng(frames, interfaces, comment=None):
    """`interfaces`: a list of (link type, snap length, name). Times in nanoseconds."""
    options = (option(1, comment.encode()) if comment else b"") + option(4, b"captures/make.py") + option(0, b"")
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options)
    for link, snap, name in interfaces:
        out += block(1, struct.pack("<HHI", link, 0, snap) + option(2, name.encode()) + option(9, b"\x09") + option(0, b""))
    for frame in frames:
        body = struct.pack("<IIIII", frame.interface, frame.when >> 32, frame.when & 0xFFFFFFFF, len(frame.octets), frame.length)
        body += frame.octets + b"\0" * (-len(frame.octets) % 4)
        if frame.comment:
            body += option(1, frame.comment.encode()) + option(0, b"")
        out += block(6, body)
    return out


def pcap(frames, link=ETHERNET, snap=262144, nanoseconds=False):
    out = struct.pack("<IHHiIII", 0xA1B23C4D if nanoseconds else 0xA1B2C3D4, 2, 4, 0, 0, snap, link)
    for frame in frames:
        seconds, rest = divmod(frame.when, 1_000_000_000)
        out += struct.pack("<IIII", seconds, rest if nanoseconds else rest // 1000, len(frame.octets), frame.length) + frame.octets
    return out


def compressed(octets, name):
    """As the end of the name says; the same octets give the same file."""
    if name.endswith(".gz"):
        return gzip.compress(octets, mtime=0)
    if name.endswith(".zst"):
        return subprocess.run(["zstd", "-q", "-19", "-c"], input=octets, stdout=subprocess.PIPE, check=True).stdout
    return octets


def read_pcap(path):
    """The frames of a classic little-endian pcap file, as tcpdump writes it, and its link type."""
    octets = pathlib.Path(path).read_bytes()
    magic, _, _, _, _, _, link = struct.unpack_from("<IHHiIII", octets)
    unit = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[magic]
    frames, at = [], 24
    while at + 16 <= len(octets):
        seconds, rest, kept, length = struct.unpack_from("<IIII", octets, at)
        frames.append(Frame(seconds * 1_000_000_000 + rest * unit, octets[at + 16:at + 16 + kept], length=length))
        at += 16 + kept
    return frames, link
