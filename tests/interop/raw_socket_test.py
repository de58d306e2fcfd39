"""Raw and packet sockets of unmodified programs on the stack: `transom run`, with the kernel on the other side of the device."""

import os
import sys

from harness import KERNELS, TRANSOM, Program, check, run, test, wait_until, work

DEVICE = ["--tap", "tap0", "--ip", "10.9.0.2/24", "--ip", "fd09::2/64"]


def on_stack(*command, device=True):
    return [str(TRANSOM), "run"] + (DEVICE if device else []) + ["--"] + [str(word) for word in command]


def python_on_stack(text, device=True):
    path = work() / "program.py"
    path.write_text("import socket, struct, os, fcntl\n" + text)
    return run(*on_stack(sys.executable, path, device=device))


@test()
def busybox_pings_with_a_raw_socket():
    output = run(*on_stack("busybox", "ping", "-c", "3", "-i", "0.2", KERNELS[4]))
    check("3 packets received" in output, "not all came back")


@test()
def busybox_pings_ipv6_with_a_raw_socket():
    output = run(*on_stack("busybox", "ping", "-6", "-c", "3", "-i", "0.2", KERNELS[6]))
    check("3 packets received" in output, "not all came back")


@test(each=[("-I",), ("-T",), ("-U",)])
def traceroute_sees_the_way(way):
    """Through the kernel, to a namespace behind it."""
    with Program("unshare", "--net", "sleep", "1000") as far:
        through_the_kernel(far.process.pid, way)


def through_the_kernel(far, way):
    wait_until(lambda: os.readlink(f"/proc/{far}/ns/net") != os.readlink("/proc/self/ns/net"), "the namespace")
    run("ip", "link", "add", "near", "type", "veth", "peer", "name", "behind", "netns", far)
    for words in (["addr", "add", "10.55.0.1/24", "dev", "near"], ["link", "set", "near", "up"]):
        run("ip", *words)
    for words in (["addr", "add", "10.55.0.2/24", "dev", "behind"], ["link", "set", "behind", "up"],
                  ["route", "add", "default", "via", "10.55.0.1"]):
        run("nsenter", "--target", far, "--net", "ip", *words)
    run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    output = run(TRANSOM, "run", *DEVICE, "--gateway", KERNELS[4], "--", "traceroute", "-n", "-m", "3", "-w", "2", way, "10.55.0.2")
    check(f" 1  {KERNELS[4]}" in output and " 2  10.55.0.2" in output, "the hops are not the kernel and what is behind it")


@test()
def a_raw_socket_makes_its_own_headers():
    python_on_stack("""
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
heard = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
heard.settimeout(10)
# UDP to a port where nobody is, with a time to live of our own: the kernel says so, and quotes it.
packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0x1234, 0, 77, 17, 0, bytes(4), socket.inet_aton("10.9.0.1")) + \\
    struct.pack("!HHHH", 1000, 9, 8, 0)
raw.sendto(packet, ("10.9.0.1", 0))
answer, source = heard.recvfrom(2000)
assert source == ("10.9.0.1", 0), source
assert answer[20:22] == bytes([3, 3]), answer
quoted = answer[28:]
assert quoted[4:6] == b"\\x12\\x34" and quoted[8] == 77 and quoted[12:16] == socket.inet_aton("10.9.0.2"), quoted
""")


@test()
def a_packet_socket_speaks_arp():
    python_on_stack("""
ETH_P_ARP = 0x0806
packet = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ARP))
packet.bind(("tap0", ETH_P_ARP))
packet.settimeout(10)
hardware = fcntl.ioctl(packet, 0x8927, struct.pack("256s", b"tap0"))
assert struct.unpack("H", hardware[16:18])[0] == 1, "Ethernet"
mac = hardware[18:24]
ask = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, mac, socket.inet_aton("10.9.0.2"), bytes(6), socket.inet_aton("10.9.0.1"))
packet.sendto(ask, ("tap0", ETH_P_ARP, 0, 1, b"\\xff" * 6))
while True:
    answer, (name, protocol, kind, hatype, source) = packet.recvfrom(2000)
    if answer[6:8] == b"\\0\\2" and answer[14:18] == socket.inet_aton("10.9.0.1"):
        break
assert (name, protocol, hatype) == ("tap0", ETH_P_ARP, 1) and kind == socket.PACKET_HOST, (name, protocol, kind, hatype)
assert source == answer[8:14], "the sender is the kernel's end"
""")


@test()
def a_packet_socket_filters_and_sees_both_ways():
    python_on_stack("""
packet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
# UDP over IPv4, at most 60 octets of it
code = [(0x28, 0, 0, 12), (0x15, 0, 3, 0x0800), (0x30, 0, 0, 23), (0x15, 0, 1, 17), (6, 0, 0, 60), (6, 0, 0, 0)]
import ctypes
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in code))
packet.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HxxxxxxP", len(code), ctypes.addressof(program)))
packet.bind(("lo", 3))
packet.settimeout(10)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
udp.sendto(b"x" * 100, udp.getsockname())
kinds = set()
for i in range(2):
    frame, address = packet.recvfrom(2000)
    assert len(frame) == 60 and frame[12:14] == b"\\x08\\0", frame
    kinds.add(address[2])
assert kinds == {socket.PACKET_OUTGOING, socket.PACKET_HOST}, kinds
""", device=False)
