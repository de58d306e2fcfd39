"""IPv6 extension headers of an unmodified program on the stack: the kernel on the other side of the device is given them, and sends them
back; tshark reads what was sent."""

import sys

from harness import TRANSOM, Program, check, run, test, wait_until, work
from on_stack import DEVICE

COMMON = """
import socket, sys
HOP, DST, ROUTE = socket.IPV6_HOPOPTS, socket.IPV6_DSTOPTS, socket.IPV6_RTHDR
def hears(fd):
    for option in (socket.IPV6_RECVHOPOPTS, socket.IPV6_RECVDSTOPTS, socket.IPV6_RECVRTHDR):
        fd.setsockopt(socket.IPPROTO_IPV6, option, 1)
    fd.settimeout(10)
def headers(ancillary):  # without what names the next one
    return [(kind, octets[1:].hex()) for level, kind, octets in ancillary if level == socket.IPPROTO_IPV6]
hop = bytes([0, 0, 0x1e, 4]) + b"hop!"
destination = bytes([0, 1, 0x1e, 12]) + b"destination."
"""

# The kernel's: says what it was given, and sends it back with the same headers.
ECHO = COMMON + """
fd = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
fd.bind(("::", 7000))
hears(fd)
print("ready", flush=True)
while True:
    octets, ancillary, _, source = fd.recvmsg(65536, 4096)
    print(len(octets), headers(ancillary), flush=True)
    back = [one for one in ancillary if one[1] != ROUTE]
    fd.sendmsg([octets], back, 0, source)
"""

PROGRAM = COMMON + """
fd = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
hears(fd)
def ask(size, expected, ancillary=(), to="fd09::1"):
    fd.sendmsg([b"x" * size], ancillary, 0, (to, 7000))
    octets, got, _, source = fd.recvmsg(65536, 4096)
    assert len(octets) == size, len(octets)
    assert headers(got) == expected, headers(got)
ask(10, [])
ask(20, [(HOP, hop[1:].hex())], [(socket.IPPROTO_IPV6, HOP, hop)])
fd.setsockopt(socket.IPPROTO_IPV6, HOP, hop)
fd.setsockopt(socket.IPPROTO_IPV6, DST, destination)
both = [(HOP, hop[1:].hex()), (DST, destination[1:].hex())]
ask(30, both)
ask(4000, both)  # in fragments
# RFC 8754: by way of fd09::1 to fd77::1, an address of the same kernel.
segments = bytes([0, 4, 4, 1, 1, 0, 0, 0]) + bytes(16) + socket.inet_pton(socket.AF_INET6, "fd09::1")
fd.setsockopt(socket.IPPROTO_IPV6, ROUTE, segments)
ask(40, both, to="fd77::1")
"""


@test()
def the_kernel_is_given_them_and_gives_them_back():
    for name in ("all", "default"):
        run("sysctl", "-qw", f"net.ipv6.conf.{name}.seg6_enabled=1", f"net.ipv6.conf.{name}.accept_dad=0")
    run("ip", "address", "add", "fd77::1/128", "dev", "lo")
    echo, program, heard = work() / "echo.py", work() / "program.py", work() / "echo.log"
    echo.write_text(ECHO)
    program.write_text(PROGRAM)
    with open(heard, "w", encoding="utf-8") as log, Program(sys.executable, echo, stdout=log):
        wait_until(lambda: "ready" in heard.read_text(), "the kernel's echo")
        run(TRANSOM, "run", *DEVICE, "--pcap", work() / "sent.pcap", "--", sys.executable, program)
        last = heard.read_text().splitlines()[-1]
    check(last.startswith("40 ") and "0404000100" in last, f"the kernel has not stepped over the routing header: {last}")
    shown = run("tshark", "-n", "-r", work() / "sent.pcap", "-Y", "udp.dstport == 7000", "-T", "fields", "-e", "frame.protocols",
                "-e", "ipv6.dst", "-e", "ipv6.routing.srh.addr", "-e", "udp.checksum.status", "-o", "udp.check_checksum:TRUE")
    lines = [line.split("\t") for line in shown.splitlines() if "\t" in line]
    for line, layers in zip(lines, ("udp", "ipv6.hopopts:udp", "ipv6.hopopts:ipv6.dstopts:udp", "ipv6.hopopts:ipv6.fraghdr:ipv6.dstopts:udp",
                                    "ipv6.hopopts:ipv6.routing:ipv6.dstopts:udp")):
        check(f":ipv6:{layers}:" in line[0] + ":" and line[3] == "1", f"{line}, not {layers}")
    check(len(lines) == 5 and lines[4][1].startswith("fd09::1") and "fd77::1,fd09::1" in lines[4][2], f"the last: {lines[-1]}")
