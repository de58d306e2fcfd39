"""Captures that are not as one would like them: what `transom check-capture` is for. Kernel traffic, spoilt afterwards or taken in a bad place."""

import pathlib
import subprocess
import tempfile
import time

import files
import packets
from case import case
from files import Frame
from lab import read_all, text
from packets import Packet, refill_checksum


def exchange(lab, size=6000):
    near, far = lab.pair()
    near.sendall(b"question")
    read_all(far, 8)
    far.sendall(text(size))
    far.close()
    read_all(near)
    near.close()
    lab.pause(0.05)


@case("capture-one-sided", kernel="both", missed=True)
def one_sided(lab):
    """Only what the server sends was captured, as asymmetric routes have it."""
    exchange(lab)
    return [frame for frame in lab.frames if Packet(frame.octets).source == packets.packed("192.0.2.2")]


@case("capture-without-handshake", kernel="both")
def without_handshake(lab):
    """The capture begins in the midst of a connection, so that nobody knows its window scale."""
    exchange(lab)
    return lab.frames[6:]


@case("capture-cut", kernel="both", form="input.pcap")
def cut(lab):
    """A snap length of 96: the data are missing, and checksums cannot be checked."""
    exchange(lab)
    return files.pcap([Frame(frame.when, frame.octets[:96], length=len(frame.octets)) for frame in lab.frames], snap=96)


@case("capture-truncated-file", kernel="both", form="input.pcapng")
def truncated_file(lab):
    """The file ends in the midst of a block, as if the disk was full. It is refused at that place; what is before it can be read."""
    exchange(lab)
    return files.pcapng(lab.frames, [(files.ETHERNET, 262144, "eth0")])[:-40]


@case("capture-mirrored-twice", kernel="both")
def mirrored_twice(lab):
    """A mirror port shows each packet when it comes in and when it goes out: all are there twice, some microseconds apart."""
    exchange(lab)
    return [Frame(frame.when + late, frame.octets) for frame in lab.frames for late in (0, 12_000)]


@case("capture-clock-steps-back", kernel="both", form="input.pcap")
def clock_steps_back(lab):
    """The clock of the capturing machine was set back by two seconds in the midst of it."""
    exchange(lab)
    half = len(lab.frames) // 2
    return files.pcap([Frame(frame.when - (2_000_000_000 if number >= half else 0), frame.octets) for number, frame in enumerate(lab.frames)])


@case("capture-packet-lost", kernel="both", missed=True)
def packet_lost(lab):
    """The capturing machine missed two packets that the client got: it acknowledges what was never seen."""
    exchange(lab)
    data = [frame for frame in lab.frames if Packet(frame.octets).is_data and Packet(frame.octets).sport == 80]
    return [frame for frame in lab.frames if frame not in data[1:3]]


@case("capture-nat-seen-twice", kernel="both")
def nat_seen_twice(lab):
    """Taken on both sides of a translator: each packet of the client is there once from 192.0.2.1 and once from 203.0.113.5, the answers likewise."""
    exchange(lab)
    inside, outside = packets.packed("192.0.2.1"), packets.packed("203.0.113.5")

    def translated(octets):
        packet = Packet(octets)
        if packet.protocol != packets.TCP:
            return None
        header = bytearray(octets[14:34])
        for at in (12, 16):
            if bytes(header[at:at + 4]) == inside:
                header[at:at + 4] = outside
        header[10:12] = b"\0\0"
        header[10:12] = packets.checksum(bytes(header)).to_bytes(2, "big")
        return refill_checksum(octets[:14] + bytes(header) + octets[34:])

    made = []
    for frame in lab.frames:
        made.append(frame)
        other = translated(frame.octets)
        if other:
            from_inside = Packet(frame.octets).source == inside
            made.append(Frame(frame.when + (40_000 if from_inside else -40_000), other))
    return made


@case("capture-two-link-types", kernel="both")
def two_link_types(lab):
    """One pcapng file with an Ethernet interface and one of bare IP, of different snap lengths; a connection on each."""
    exchange(lab, 500)
    first = len(lab.frames)
    exchange(lab, 700)
    frames = [Frame(frame.when, frame.octets, interface=0) for frame in lab.frames[:first]]
    frames += [Frame(frame.when, frame.octets[14:], interface=1) for frame in lab.frames[first:]]
    return files.pcapng(frames, [(files.ETHERNET, 262144, "eth0"), (files.RAW, 65535, "tun0")], comment="Two interfaces, two link types")


@case("capture-raw-ip", kernel="both", stack="client", form="input.pcap")
def raw_ip(lab):
    """Bare IP, as a TUN device has it: no link layer."""
    exchange(lab)
    return files.pcap([Frame(frame.when, frame.octets[14:]) for frame in lab.frames if Packet(frame.octets).version], link=files.RAW)


@case("capture-null-loop", kernel="both", stack="client", form="input.pcap")
def null_loop(lab):
    """The BSD loopback header: an address family of four octets in the order of the machine."""
    exchange(lab)
    return files.pcap([Frame(frame.when, b"\x02\0\0\0" + frame.octets[14:]) for frame in lab.frames if Packet(frame.octets).version], link=files.NULL)


@case("capture-comments", kernel="both", stack="client")
def comments(lab):
    """Comments of a person on three packets, and one on the whole file."""
    exchange(lab)
    notes = {2: "the client asks", 3: "the server agrees", 7: "data"}
    return files.pcapng([Frame(frame.when, frame.octets, comment=notes.get(number)) for number, frame in enumerate(lab.frames)],
                        [(files.ETHERNET, 262144, "eth0")], comment="A question and its answer")


@case("capture-nanoseconds", kernel="both", stack="client", form="input.pcap.zst")
def nanoseconds(lab):
    """Classic pcap with nanoseconds, compressed."""
    exchange(lab)
    return files.pcap(lab.frames, nanoseconds=True)


@case("capture-vlan", kernel="both", stack="client", form="input.pcap")
def vlan(lab):
    """Frames with an 802.1Q tag, VLAN 7."""
    exchange(lab)
    return files.pcap([Frame(frame.when, frame.octets[:12] + b"\x81\0\0\x07" + frame.octets[12:]) for frame in lab.frames])


@case("capture-offload", kernel="both", lab=False, form="input.pcap")
def offload():
    """Taken by tcpdump on the loopback of a host that leaves checksums and segmentation to its device: super-packets of up to 64 KiB, cut at
    200 octets, with checksums that were not filled in."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "file")
        # The connection is one of python3 with itself.
        with subprocess.Popen(["tcpdump", "-i", "lo", "-U", "-s", "200", "-w", str(path), "tcp"], stderr=subprocess.DEVNULL) as tcpdump:
            time.sleep(0.6)
            import socket
            listener = socket.create_server(("127.0.0.1", 8000))
            near = socket.create_connection(("127.0.0.1", 8000))
            far, _ = listener.accept()
            near.sendall(text(100000))
            near.close()
            read_all(far)
            far.close()
            time.sleep(0.5)
            tcpdump.terminate()
        return path.read_bytes()
