"""Captures of what the kernel's programs say to each other."""

import os
import struct
import subprocess
import time

from harness import Program, run, wait_until, work

NEAR = {4: "10.1.0.1", 6: "fd01::1"}
FAR = {4: "10.1.0.2", 6: "fd01::2"}
SPACE = f"far{os.urandom(4).hex()}"  # names of namespaces are those of the machine
IN_FAR = ("ip", "netns", "exec", SPACE)


def record(converse):
    """What passes while `converse` is called, on a pair of devices between this namespace and another one, seen at this end."""
    capture = work() / "recorded.pcap"
    run("ip", "netns", "add", SPACE)
    try:
        run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", SPACE)
        for family, length in ((4, 24), (6, 64)):
            flags = ["nodad"] if family == 6 else []
            run("ip", "address", "add", f"{NEAR[family]}/{length}", "dev", "near", *flags)
            run("ip", "-n", SPACE, "address", "add", f"{FAR[family]}/{length}", "dev", "far", *flags)
        run("ip", "link", "set", "near", "up")
        run("ip", "-n", SPACE, "link", "set", "far", "up")
        run("ip", "-n", SPACE, "link", "set", "lo", "up")
        # Checksums are to be in the packets.
        run("ethtool", "-K", "near", "tx", "off", "rx", "off")
        run(*IN_FAR, "ethtool", "-K", "far", "tx", "off", "rx", "off")
        with Program("tcpdump", "--immediate-mode", "-B", 32768, "-s", 2000, "-i", "near", "-U", "-w", capture) as dump:
            wait_until(lambda: capture.exists() and capture.stat().st_size > 0, "tcpdump")
            converse()
            time.sleep(0.3)  # the last packets
            dump.process.terminate()
            dump.process.wait(10)
    finally:
        run("ip", "link", "delete", "near", expect=None)
        run("ip", "netns", "delete", SPACE, expect=None)
    return capture


def fields(capture, which, *names):
    """tshark's fields of the packets that its filter takes: a list for each."""
    words = [word for name in names or ["frame.number"] for word in ("-e", name)]
    done = subprocess.run(["tshark", "-r", capture, "-Y", which, "-T", "fields", *words], stdout=subprocess.PIPE, check=True, timeout=60)
    return [line.split("\t") for line in done.stdout.decode().splitlines()]


def checksum(octets):
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return 0xffff - total


def in_fragments(capture, size):
    """A pcap of Ethernet whose TCP over IPv4 is cut into fragments of `size` octets, a multiple of 8; what is as short is left whole."""
    octets = capture.read_bytes()
    made, at, number = [octets[:24]], 24, 0
    while at < len(octets):
        number += 1
        stamp, length = octets[at:at + 8], struct.unpack("<I", octets[at + 8:at + 12])[0]
        frame = octets[at + 16:at + 16 + length]
        at += 16 + length
        header, body = bytearray(frame[14:34]), frame[34:14 + struct.unpack(">H", frame[16:18])[0]]
        if frame[12:15] != b"\x08\x00\x45" or frame[23] != 6 or len(body) <= size:
            made.append(stamp + struct.pack("<II", len(frame), len(frame)) + frame)
            continue
        for begin in range(0, len(body), size):
            piece = body[begin:begin + size]
            more = 0x2000 if begin + size < len(body) else 0
            struct.pack_into(">HHH", header, 2, 20 + len(piece), number, more | begin // 8)
            struct.pack_into(">H", header, 10, 0)
            struct.pack_into(">H", header, 10, checksum(bytes(header)))
            fragment = frame[:14] + bytes(header) + piece
            made.append(stamp + struct.pack("<II", len(fragment), len(fragment)) + fragment)
    cut = work() / "in-fragments.pcap"
    cut.write_bytes(b"".join(made))
    return cut
