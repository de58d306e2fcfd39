"""Multicast groups: a bridge of the kernel that asks for members and remembers who has answered, and the kernel as a sender."""

import json
import socket
import sys

from harness import TRANSOM, Program, check, run, test, wait_until, work

GROUPS = {4: "239.77.1.2", 6: "ff15::77"}

# Joins, says so, prints what it hears until it hears "end", leaves, and waits.
LISTENER = r"""
import socket, struct, sys, time
family, group, source = int(sys.argv[1]), sys.argv[2], sys.argv[3]
s = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("0.0.0.0" if family == 4 else "::", 6000))
if family == 4 and source != "-":
    s.setsockopt(socket.IPPROTO_IP, 39, socket.inet_aton(group) + socket.inet_aton("10.9.0.2") + socket.inet_aton(source))
elif family == 4:
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton("10.9.0.2"))
else:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, group) + struct.pack("@i", 2))
print("joined", flush=True)
while True:
    data, where = s.recvfrom(1000)
    print(data.decode(), "from", where[0], flush=True)
    if data == b"end":
        break
s.close()
print("left", flush=True)
time.sleep(1000)
"""


class Bridge:
    """br0, whose port tap0 the stack is on. It is the querier of its link."""

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        run("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "1", "mcast_querier", "1", "mcast_startup_query_interval", "50",
            "mcast_query_response_interval", "50", "mcast_last_member_interval", "20", "mcast_query_use_ifaddr", "1", *self.options)
        run("ip", "tuntap", "add", "tap0", "mode", "tap")
        run("ip", "link", "set", "tap0", "master", "br0", "up")
        run("ip", "address", "add", "10.9.0.1/24", "dev", "br0")
        run("ip", "address", "add", "10.9.0.3/24", "dev", "br0")
        run("ip", "link", "set", "br0", "up")
        run("ip", "address", "add", "fd09::1/64", "dev", "br0", "nodad")
        return self

    def __exit__(self, *_):
        pass

    def members(self, group):
        """What the bridge knows of the group at tap0."""
        known = json.loads(run("bridge", "-d", "-j", "mdb", "show", "dev", "br0"))
        return [entry for table in known for entry in table.get("mdb", []) if entry["grp"] == group and entry["port"] == "tap0"]


class Listener:
    """The program above, on the stack."""

    def __init__(self, family, source="-", flags=()):
        script = work() / "listener.py"
        script.write_text(LISTENER)
        self.output = work() / "heard"
        self.command = [TRANSOM, "run", "--tap", "tap0", "--ip", "10.9.0.2/24", "--ip", "fd09::2/64", "--pcap", work() / "host.pcap",
                        *flags, "--", sys.executable, script, family, GROUPS[family], source]

    def __enter__(self):
        with open(self.output, "w") as out:
            self.program = Program(*self.command, stdout=out)
        self.program.__enter__()
        self.wait_for("joined")
        return self

    def __exit__(self, *_):
        self.program.process.terminate()
        self.program.process.wait(10)

    def heard(self):
        return self.output.read_text()

    def wait_for(self, text):
        wait_until(lambda: text in self.heard(), f"the listener saying {text!r}, not {self.heard()!r}")


def send(family, text, source=None):
    with socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as out:
        if family == 4:
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source or "10.9.0.1"))
            out.bind((source or "10.9.0.1", 0))
        else:
            out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("br0"))
        out.sendto(text.encode(), (GROUPS[family], 6000))


@test(each=[(4,), (6,)])
def a_bridge_learns_who_is_a_member(family):
    with Bridge("mcast_igmp_version", "3", "mcast_mld_version", "2") as bridge, Listener(family) as listener:
        wait_until(lambda: bridge.members(GROUPS[family]), "the bridge knowing of the member")
        send(family, "hello")
        listener.wait_for("hello from")
        # Still there after the bridge has asked, and gone when the program has left.
        check(bridge.members(GROUPS[family]), "forgotten")
        send(family, "end")
        listener.wait_for("left")
        wait_until(lambda: not bridge.members(GROUPS[family]), "the bridge knowing that it has left")


@test()
def a_bridge_learns_which_sources_are_wanted():
    with Bridge("mcast_igmp_version", "3") as bridge, Listener(4, "10.9.0.3") as listener:
        wait_until(lambda: bridge.members(GROUPS[4]), "the bridge knowing of the member")
        check(any("10.9.0.3" in json.dumps(entry) for entry in bridge.members(GROUPS[4])), f"no source: {bridge.members(GROUPS[4])}")
        send(4, "unwanted", "10.9.0.1")
        send(4, "wanted", "10.9.0.3")
        listener.wait_for("wanted from 10.9.0.3")
        check("unwanted" not in listener.heard(), "heard what it did not want")


@test()
def an_older_querier_is_answered():
    # Of MLDv1 the bridge asks only after its start, when it may not have an address yet: conformance/groups_test.cpp has that.
    with Bridge("mcast_igmp_version", "2") as bridge, Listener(4) as listener:
        wait_until(lambda: bridge.members(GROUPS[4]), "the bridge knowing of the member")
        capture = work() / "host.pcap"
        wait_until(lambda: run("tshark", "-n", "-r", capture, "-Y", "igmp.type == 0x16", expect=None).count(GROUPS[4]),
                   "a report of the old version", timeout=20)
        send(4, "end")
        listener.wait_for("left")
