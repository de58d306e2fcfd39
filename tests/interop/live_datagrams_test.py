"""transom replay --role client and server: recorded datagrams at live peers of the kernel."""

import json
import shutil
import subprocess

from harness import HOSTS, KERNELS, ROOT, TRANSOM, Program, Skipped, check, run, test, wait_until, work
from recording import FAR, IN_FAR, fields, record

CAPTURES = ROOT / "captures"

UDP_ECHO = """
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(("::", 9000))
while True:
    octets, peer = s.recvfrom(65535)
    s.sendto(octets, peer)
"""

UDP_ASK = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect((sys.argv[1], 9000))
for size in (10, 4000, 0, 9000):
    s.send(bytes(i % 251 for i in range(size)))
    assert len(s.recv(65535)) == size
"""


def replay(capture, *flags, expect=0, stdin=None):
    return run(TRANSOM, "replay", capture, *flags, expect=expect, stdin=stdin)


def verdict(capture, *flags, expect=0):
    done = subprocess.run([str(word) for word in (TRANSOM, "replay", capture, "--json", *flags)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, check=False, timeout=60)
    print(done.stdout.decode())
    check(done.returncode == expect, f"replay ended with status {done.returncode}, not {expect}")
    return json.loads(done.stdout)


def dns():
    if shutil.which("dnsmasq") is None or shutil.which("dig") is None:
        raise Skipped("dnsmasq or dig is not installed")
    return Program("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                   "--address=/door.test/192.0.2.77", "--address=/door.test/2001:db8::77", "--bind-dynamic")


def has_port(port, kind="u"):
    return lambda: subprocess.run(["ss", f"-Hln{kind}", f"sport = {port}"], capture_output=True, check=True).stdout


@test()
def a_recorded_dig_is_played_at_a_dns_server_of_the_kernel():
    capture = CAPTURES / "dns" / "input.pcapng"
    with dns():
        wait_until(has_port(53), "dnsmasq")
        told = replay(capture, "--role", "client", "--tap", "tap0", "--peer", KERNELS[4])
    check(told.count("datagrams from the peer: equal (1 of 1 recorded") == 3, "the three answers are not equal")
    check("octets from the peer: equal" in told and "verdict: done" in told, "the question over TCP is not answered as it was")


@test()
def a_recorded_dns_server_is_played_at_dig():
    capture = CAPTURES / "dns" / "input.pcapng"
    told = replay(capture, "--role", "server", "--tap", "tap0", "--stall", "1", "--", "dig", "+short", "+tries=1", "+nocookie",
                  f"@{HOSTS[4]}", "door.test", expect=1)
    check("192.0.2.77" in told, "dig does not take the answer: its number is not that of its question")
    check("nobody came for them" in told, "the recorded questions that were not asked are not told")


@test(each=[(4,), (6,)])
def a_recorded_ping_is_played_at_the_kernel(family):
    capture = CAPTURES / f"icmp-echo-ipv{family}" / "input.pcapng"
    told = replay(capture, "--role", "client", "--tap", "tap0")
    check("datagrams from the peer: equal (3 of 3 recorded" in told and "verdict: done" in told, "the kernel answers otherwise")


@test()
def a_recorded_ping_in_fragments_is_played_at_the_kernel():
    seen = work() / "seen.pcap"
    told = replay(CAPTURES / "icmp-echo-fragments" / "input.pcapng", "--role", "client", "--tap", "tap0", "--pcap", seen)
    check(told.count("datagrams from the peer: equal (1 of 1 recorded") == 2 and "verdict: done" in told, "the kernel answers otherwise")
    def identifications(path, which):
        return {word for word in run("tshark", "-r", path, "-Y", which, "-T", "fields", "-e", "ip.id").split() if word.startswith("0x")}

    ids = identifications(seen, f"ip.src == {HOSTS[4]} && ip.flags.mf == 1")
    recorded = identifications(CAPTURES / "icmp-echo-fragments" / "input.pcapng", "ip.flags.mf == 1")
    check(ids and not ids & recorded, f"the identification is the recorded one: {ids} and {recorded}")


@test()
def a_recorded_pings_other_end_is_played_at_ping():
    capture = CAPTURES / "icmp-echo-ipv4" / "input.pcapng"
    told = replay(capture, "--role", "server", "--tap", "tap0", "--mask", "[^]{8,}", "--", "ping", "-c", "3", "-i", "0.1", "-s", "56", HOSTS[4])
    check("3 packets transmitted, 3 received" in told and "DUP" not in told, "ping does not get its three answers")


@test()
def datagrams_that_are_larger_than_the_mtu_are_played_at_the_kernel():
    def exchange():
        with Program(*IN_FAR, "python3", "-c", UDP_ECHO):
            wait_until(lambda: subprocess.run([*IN_FAR, "ss", "-Hlnu", "sport = 9000"], capture_output=True, check=True).stdout, "the echo")
            run("python3", "-c", UDP_ASK, FAR[4])

    capture = record(exchange)
    with Program("python3", "-c", UDP_ECHO):
        wait_until(has_port(9000), "the echo")
        result = verdict(capture, "--role", "client", "--tap", "tap0", "--peer", KERNELS[4])
    (udp,) = [each for each in result["flows"] if each["protocol"] == "UDP"]
    check(udp["datagrams_equal"] == len(udp["peer_packets"]) == 4 and udp["sent"] >= 4 + 2 + 6, f"{udp}")


@test()
def a_closed_port_of_the_kernel_is_as_it_was_and_an_open_one_is_not():
    capture = CAPTURES / "udp-unreachable-ipv4" / "input.pcapng"
    told = replay(capture, "--role", "client", "--tap", "tap0", "--peer", KERNELS[4])
    check("datagrams from the peer: equal (1 of 1 recorded" in told, "the error is not taken for what was recorded")
    with Program("python3", "-c", UDP_ECHO.replace("9000", "9001")):
        wait_until(has_port(9001), "the echo")
        told = replay(capture, "--role", "client", "--tap", "tap0", "--peer", KERNELS[4], "--stall", "0.5", expect=1)
    check("not recorded: UDP, 8 octets" in told and "awaited: the peer's datagram of packet 4" in told, "the answer is not told of")


GROUP = "233.252.0.1"

GROUP_MEMBER = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 9000))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(sys.argv[1]) + socket.inet_aton(sys.argv[2]))
octets, peer = s.recvfrom(65535)
s.sendto(b"heard", peer)
"""

GROUP_ASKER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[2]))
s.sendto(sys.argv[3].encode(), (sys.argv[1], 9000))
octets, peer = s.recvfrom(65535)
assert peer[0] == sys.argv[4], peer
"""


@test()
def what_was_said_to_a_group_is_answered_by_whoever_is_in_it():
    seen = work() / "seen.pcap"
    run("ip", "tuntap", "add", "tap0", "mode", "tap")
    run("ip", "address", "add", f"{KERNELS[4]}/24", "dev", "tap0")
    run("ip", "link", "set", "tap0", "up")
    with Program("python3", "-c", GROUP_MEMBER, GROUP, KERNELS[4]):
        wait_until(has_port(9000), "the member")
        told = replay(CAPTURES / "multicast-udp" / "input.pcapng", "--role", "client", "--tap", "tap0", "--peer", KERNELS[4], "--ip", f"{HOSTS[4]}/24",
                      "--mask", "[^]{5}", "--pcap", seen)
    check("datagrams from the peer: equal (1 of 1 recorded" in told and "verdict: done" in told, "the member is not heard")
    to_group = fields(seen, f"udp && ip.src == {HOSTS[4]} && ip.dst == {GROUP}", "eth.dst", "ip.ttl")
    check(to_group == [["01:00:5e:7c:00:01", "1"]], f"it went to {to_group}")


@test()
def a_recorded_member_of_a_group_answers_whoever_asks():
    script = ["python3", "-c", GROUP_ASKER, GROUP, KERNELS[4], "for the group", HOSTS[4]]
    told = replay(CAPTURES / "multicast-udp" / "input.pcapng", "--role", "server", "--tap", "tap0", "--", *script)
    check("verdict: done" in told, "it is not as it was")


@test()
def recorded_reports_of_groups_go_to_the_same_routers():
    seen = work() / "seen.pcap"
    told = replay(CAPTURES / "igmp-mld" / "input.pcapng", "--role", "client", "--tap", "tap0", "--pcap", seen)
    check("verdict: done" in told, "they did not go")
    reports = fields(seen, f"igmp && ip.src == {HOSTS[4]} && ip.dst == 224.0.0.22", "eth.dst", "ip.ttl")
    check(reports == [["01:00:5e:00:00:16", "1"]] * 6, f"{reports}")
    check(len(fields(seen, "icmpv6.type == 143 && ipv6.src != fe80::ff:fe00:1 && eth.dst == 33:33:00:00:00:16")) >= 5, "MLD's did not go")
    check(not fields(seen, "icmpv6.checksum.status == 0 || igmp.checksum.status == 0"), "a checksum is wrong")


@test()
def many_loops_are_told_of_in_few_lines():
    words = [CAPTURES / "icmp-echo-ipv4" / "input.pcapng", "--role", "client", "--tap", "tap0", "-t", "-l", "60"]
    told = replay(*words)
    check("10 more flows are the same or legal" in told and told.count("3 of 3 recorded steps") == 50, "not as few lines as it should be")
    check(replay(*words, "--all").count("3 of 3 recorded steps") == 60, "--all leaves some out")


@test()
def one_packet_at_a_time_goes_for_each_line_that_is_typed():
    lines = work() / "lines"
    lines.write_text("\n2\n")
    with lines.open("rb") as stdin:
        told = replay(CAPTURES / "icmp-echo-ipv4" / "input.pcapng", "--role", "client", "--tap", "tap0", "-o", stdin=stdin)
    check("sent 3 packets, 3 of 3" in told and "verdict: done" in told, "not all went")
