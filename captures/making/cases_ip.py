"""IPv4, IPv6 and what goes with them: neighbours, groups, errors, fragments, the size of the path. UDP, and services over it."""

import socket
import struct
import time

import packets
from case import case
from lab import DROP, read_all, text
from packets import ICMPV6, UDP, arp, ethernet, icmpv6, ipv6

CLIENT_MAC, SERVER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, IP_RECVERR, IPV6_RECVERR = 10, 23, 11, 25


def ask(lab, request, answer, family=4, port=9000, **options):
    """A datagram there, one back."""
    far = lab.server.socket(family, socket.SOCK_DGRAM)
    far.bind((lab.address(family), port))
    near = lab.client.socket(family, socket.SOCK_DGRAM, **options)
    near.connect((lab.address(family), port))
    near.send(request)
    _, sender = far.recvfrom(65536)
    far.sendto(answer, sender)
    near.recv(65536)
    return near, far


# ---------------------------------------------------------------- UDP and what runs over it

@case("udp-request-response-ipv4", stack="client")
def udp_request_response_ipv4(lab):
    """A datagram and its answer over IPv4."""
    ask(lab, b"question", b"answer")


@case("udp-request-response-ipv6", stack="client", golden=True)
def udp_request_response_ipv6(lab):
    """The same over IPv6."""
    ask(lab, b"question", b"answer", 6)


@case("udp-without-checksum", stack="server", at="server")
def udp_without_checksum(lab):
    """The client sends its datagrams over IPv4 without a checksum (SO_NO_CHECK), which is allowed (RFC 768)."""
    socket.SO_NO_CHECK = 11
    ask(lab, b"no sum here", b"answer", SO_NO_CHECK=1)


@case("udp-empty", stack="server", at="server")
def udp_empty(lab):
    """Datagrams without an octet of data."""
    ask(lab, b"", b"")


@case("udp-unreachable-ipv4", stack="client")
def udp_unreachable_ipv4(lab):
    """Nobody has the port: ICMP port unreachable."""
    near = lab.client.socket(4, socket.SOCK_DGRAM)
    near.sendto(b"anybody?", (lab.address(), 9001))
    lab.pause()


@case("udp-unreachable-ipv6", stack="client")
def udp_unreachable_ipv6(lab):
    """The same over IPv6."""
    near = lab.client.socket(6, socket.SOCK_DGRAM)
    near.sendto(b"anybody?", (lab.address(6), 9001))
    lab.pause()


@case("udp-broadcast", stack="server", at="server")
def udp_broadcast(lab):
    """A datagram to all hosts of the network; the server answers."""
    far = lab.server.socket(4, socket.SOCK_DGRAM)
    far.bind(("", 9000))
    near = lab.client.socket(4, socket.SOCK_DGRAM, SO_BROADCAST=1)
    near.sendto(b"who is there?", ("192.0.2.255", 9000))
    _, sender = far.recvfrom(100)
    far.sendto(b"me", sender)
    near.recv(100)


@case("udp-fragments-ipv4", stack="server", at="server", golden=True)
def udp_fragments_ipv4(lab):
    """A datagram of 4000 octets in three fragments, and the answer in as many."""
    ask(lab, text(4000), text(4000))


@case("udp-fragments-ipv6", stack="server", at="server")
def udp_fragments_ipv6(lab):
    """The same over IPv6: fragment headers."""
    ask(lab, text(4000), text(4000), 6)


@case("udp-fragments-out-of-order", stack="server", at="server")
def udp_fragments_out_of_order(lab):
    """The last fragment comes first, and one comes twice."""
    lab.rule(lab.client, lambda packet: packet.protocol == UDP, {1}, 0.02)
    lab.rule(lab.client, lambda packet: packet.protocol == UDP, {2}, "twice")
    ask(lab, text(4000), b"answer")


@case("udp-fragment-lost", stack="server", at="server")
def udp_fragment_lost(lab):
    """A fragment does not come: after the time for reassembly, here a second, ICMP tells the sender (RFC 1122 3.3.2)."""
    lab.server.sysctl(ipfrag_time=1)
    lab.rule(lab.client, lambda packet: packet.protocol == UDP and packet.transport_at == 0, {1}, DROP)
    near = lab.client.socket(4, socket.SOCK_DGRAM)
    near.sendto(text(4000), (lab.address(), 9000))
    lab.pause(1.5)


@case("dns", stack="client")
def dns(lab):
    """dig asks dnsmasq: an address, one of IPv6, a name that does not exist; the last one over TCP."""
    server = lab.server.start("dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--address=/door.test/192.0.2.77", "--address=/door.test/2001:db8::77",
                              "--listen-address=192.0.2.2", "--bind-interfaces", "--user=root", "--group=root", "--conf-file=/dev/null", "--pid-file=")
    time.sleep(0.3)
    for words in (["door.test", "A"], ["door.test", "AAAA"], ["nobody.test", "A"], ["+tcp", "door.test", "A"]):
        lab.client.run("dig", "@192.0.2.2", "+tries=1", "+time=3", *words)
    server.terminate()


# ---------------------------------------------------------------- ICMP

@case("icmp-echo-ipv4", stack="client")
def icmp_echo_ipv4(lab):
    """ping: three requests and their answers."""
    lab.client.run("ping", "-c", "3", "-i", "0.05", lab.address())


@case("icmp-echo-ipv6", stack="client")
def icmp_echo_ipv6(lab):
    """The same over IPv6."""
    lab.client.run("ping", "-c", "3", "-i", "0.05", lab.address(6))


@case("icmp-echo-fragments", stack="server", at="server")
def icmp_echo_fragments(lab):
    """Echo requests of 3000 octets over IPv4 and IPv6, in fragments, and the answers."""
    lab.client.run("ping", "-c", "1", "-s", "3000", lab.address())
    lab.client.run("ping", "-c", "1", "-s", "3000", lab.address(6))


@case("icmp-time-exceeded", stack="client", routed=True)
def icmp_time_exceeded(lab):
    """traceroute over a router, IPv4 and IPv6: time exceeded from there, port unreachable from the server."""
    lab.client.run("traceroute", "-n", "-q", "1", "-m", "3", lab.address())
    lab.client.run("traceroute", "-n", "-6", "-q", "1", "-m", "3", lab.address(6))


@case("icmp-network-unreachable", stack="client", routed=True)
def icmp_network_unreachable(lab):
    """The router has no way to 203.0.113.1 nor to 2001:db8:3::1, and says so; the server's neighbour 198.51.100.9 does not answer: host
    unreachable."""
    lab.router.set("ipv4/neigh/far/retrans_time_ms", 100)
    for address in ("203.0.113.1", "2001:db8:3::1", "198.51.100.9"):
        lab.client.run("ping", "-c", "1", "-W", "2", address, expect=None)


@case("icmp-redirect", stack="client", routed=True)
def icmp_redirect(lab):
    """The router knows a better first hop for 203.0.113.1, on the client's own network: it forwards, and redirects (RFC 1122 3.2.2.2)."""
    lab.router.run("ip", "route", "add", "203.0.113.0/24", "via", "192.0.2.77")
    lab.router.run("ip", "neigh", "add", "192.0.2.77", "lladdr", "02:00:00:00:00:77", "dev", "near")
    for path in ("all", "near"):
        lab.router.set(f"ipv4/conf/{path}/send_redirects", 1)
    lab.client.run("ping", "-c", "2", "-i", "0.2", "-W", "1", "203.0.113.1", expect=None)


# ---------------------------------------------------------------- the size of the path

@case("tcp-pmtud-ipv4", kernel="both", stack="client", routed=True, far_mtu=700)
def tcp_pmtud_ipv4(lab):
    """The network behind the router takes 700 octets: ICMP fragmentation needed, and the client goes on with smaller segments (RFC 1191)."""
    upload(lab, 4)


@case("tcp-pmtud-ipv6", kernel="both", stack="client", routed=True, far_mtu=1280)
def tcp_pmtud_ipv6(lab):
    """The same over IPv6 with 1280 octets: packet too big (RFC 8201)."""
    upload(lab, 6)


@case("tcp-pmtud-black-hole", kernel="both", routed=True, far_mtu=700, form="input.pcapng.gz")
def tcp_pmtud_black_hole(lab):
    """Nobody tells the client that its segments are too large: after timeouts it probes with smaller ones (RFC 4821)."""
    lab.client.sysctl(tcp_mtu_probing=1, tcp_base_mss=512)
    lab.rule(lab.router, lambda packet: packet.protocol == packets.ICMP, None, DROP)
    upload(lab, 4)


def upload(lab, family):
    near, far = lab.pair(family=family)
    near.sendall(text(8000))
    near.shutdown(1)
    read_all(far)
    far.close()
    read_all(near)
    near.close()


@case("udp-pmtud-ipv4", stack="client", routed=True, far_mtu=700)
def udp_pmtud_ipv4(lab):
    """A datagram with Don't Fragment is too large for the second network; the sender learns it, and the next goes in fragments."""
    near = lab.client.socket(4, socket.SOCK_DGRAM, IP_RECVERR=1) if hasattr(socket, "IP_RECVERR") else lab.client.socket(4, socket.SOCK_DGRAM)
    far = lab.server.socket(4, socket.SOCK_DGRAM)
    far.bind((lab.address(), 9000))
    near.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, 1)
    near.sendto(text(1200), (lab.address(), 9000))
    lab.pause()
    try:
        near.sendto(text(1200), (lab.address(), 9000))
    except OSError:
        near.sendto(text(1200), (lab.address(), 9000))
    far.recv(2000)


# ---------------------------------------------------------------- IPv6 extension headers

@case("ipv6-extension-headers", stack="server", at="server")
def ipv6_extension_headers(lab):
    """UDP behind a hop-by-hop header, behind destination options, and behind both; the answers have none."""
    padding = b"\0\0\x01\x04\0\0\0\0"  # PadN
    far = lab.server.socket(6, socket.SOCK_DGRAM)
    far.bind((lab.address(6), 9000))
    for options in ({54: padding}, {59: padding}, {54: padding, 59: padding}):
        near = lab.client.socket(6, socket.SOCK_DGRAM)
        for option, value in options.items():
            near.setsockopt(socket.IPPROTO_IPV6, option, value)
        near.sendto(b"question", (lab.address(6), 9000))
        _, sender = far.recvfrom(100)
        far.sendto(b"answer", sender)
        near.recv(100)


@case("tcp-ipv6-destination-options", kernel="both", stack="server", at="server")
def tcp_ipv6_destination_options(lab):
    """A TCP connection whose client puts destination options into every packet."""
    listener = lab.listen(family=6)
    near = lab.client.socket(6)
    near.setsockopt(socket.IPPROTO_IPV6, 59, b"\0\0\x01\x04\0\0\0\0")
    near.connect((lab.address(6), 80))
    far, _ = listener.accept()
    near.sendall(b"question")
    read_all(far, 8)
    far.sendall(b"answer")
    far.close()
    read_all(near)
    near.close()


@case("ipv6-unknown-header", stack="server", at="server")
def ipv6_unknown_header(lab):
    """A next header that nobody knows (253), and a hop-by-hop option whose type says: discard and tell. Two parameter problems come back."""
    lab.client.run("ping", "-c", "1", lab.address(6))
    source, target = "2001:db8:1::1", "2001:db8:1::2"
    lab.inject(lab.server, ethernet(CLIENT_MAC, SERVER_MAC, 0x86DD, ipv6(source, target, 253, b"what is this?")))
    echo = icmpv6(source, target, 128, 0, 0x00010001, b"hello")
    lab.inject(lab.server, ethernet(CLIENT_MAC, SERVER_MAC, 0x86DD, ipv6(source, target, 0, struct.pack("!BBBBI", ICMPV6, 0, 0xBE, 4, 0) + echo)))
    lab.pause()


# ---------------------------------------------------------------- neighbours

@case("arp-request-reply", stack="client")
def arp_request_reply(lab):
    """A host asks who has an address, and sends what waited; then asks for one that nobody has, three times in vain."""
    lab.client.set("ipv4/neigh/eth0/retrans_time_ms", 200)
    lab.client.run("ping", "-c", "1", "192.0.2.2")
    lab.client.run("ping", "-c", "1", "-W", "1", "192.0.2.99", expect=None)


@case("arp-probe-and-announcement", at="server")
def arp_probe_and_announcement(lab):
    """Another host probes an address of the server (RFC 5227), which defends it; then announces one of its own."""
    broadcast, nobody = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"
    for sender, target in (("0.0.0.0", "192.0.2.2"), ("0.0.0.0", "192.0.2.9"), ("192.0.2.9", "192.0.2.9")):
        lab.inject(lab.server, ethernet(CLIENT_MAC, broadcast, 0x0806, arp(1, CLIENT_MAC, sender, nobody, target)))
        lab.pause(0.05)


@case("ndp-solicitation", stack="client")
def ndp_solicitation(lab):
    """Neighbour discovery: a solicitation to the group, the advertisement; then one for an address that nobody has; then a check that the
    neighbour is still there (RFC 4861 7.2, 7.3)."""
    for path, value in (("retrans_time_ms", 200), ("base_reachable_time_ms", 500), ("delay_first_probe_time", 1)):
        lab.client.set(f"ipv6/neigh/eth0/{path}", value)
    lab.client.run("ping", "-c", "1", "2001:db8:1::2")
    lab.client.run("ping", "-c", "1", "-W", "1", "2001:db8:1::99", expect=None)
    lab.client.run("ping", "-c", "2", "-i", "1.5", "2001:db8:1::2")


@case("ndp-duplicate-address", at="server")
def ndp_duplicate_address(lab):
    """A host comes up and checks whether its address is taken: solicitation from ::, an advertisement to all, the address is not used (RFC 4862 5.4)."""
    lab.client.set("ipv6/conf/eth0/accept_dad", 1)
    lab.client.run("ip", "address", "add", "2001:db8:1::2/64", "dev", "eth0")
    lab.pause(1.2)


@case("ndp-autoconfiguration", stack="client")
def ndp_autoconfiguration(lab):
    """Router solicitation and advertisement (dnsmasq), an address from the prefix, its duplicate address detection (RFC 4862)."""
    lab.keep = lambda packet: packet.version == 6
    server = lab.server.start("dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--port=0", "--enable-ra", "--interface=eth0", "--user=root", "--group=root",
                              "--dhcp-range=2001:db8:5::,ra-only,64,600", "--conf-file=/dev/null", "--pid-file=", "--dhcp-leasefile=/dev/null")
    lab.server.run("ip", "address", "add", "2001:db8:5::1/64", "dev", "eth0", "nodad")
    time.sleep(0.5)
    lab.client.set("ipv6/conf/eth0/accept_dad", 1)
    lab.client.set("ipv6/conf/eth0/router_solicitations", 1)
    lab.client.run("ip", "link", "set", "eth0", "down")
    lab.frames.clear()
    lab.client.run("ip", "link", "set", "eth0", "up")
    lab.pause(3)
    server.terminate()


# ---------------------------------------------------------------- groups

@case("igmp-mld")
def igmp_mld(lab):
    """A host joins and leaves a group of IPv4 and one of IPv6, with a source filter in between; the reports are IGMPv3's and MLDv2's."""
    lab.keep = lambda packet: packet.version != 0
    with lab.client:
        import socket as sockets
        four = sockets.socket(sockets.AF_INET, sockets.SOCK_DGRAM)
        six = sockets.socket(sockets.AF_INET6, sockets.SOCK_DGRAM)
        index = sockets.if_nametoindex("eth0")
    lab.pause(0.5)
    lab.frames.clear()
    group = packets.packed("233.252.0.1") + packets.packed("192.0.2.1")
    four.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, packets.packed("ff0e::1:1") + struct.pack("@I", index))
    lab.pause(0.5)
    # IP_BLOCK_SOURCE: not from 198.51.100.9
    four.setsockopt(socket.IPPROTO_IP, 38, packets.packed("233.252.0.1") + packets.packed("192.0.2.1") + packets.packed("198.51.100.9"))
    lab.pause(0.5)
    four.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, group)
    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, packets.packed("ff0e::1:1") + struct.pack("@I", index))
    lab.pause(0.8)


@case("multicast-udp", stack="server", at="server")
def multicast_udp(lab):
    """Datagrams to a group that the server has joined, and to one that it has not."""
    far = lab.server.socket(4, socket.SOCK_DGRAM)
    far.bind(("", 9000))
    far.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, packets.packed("233.252.0.1") + packets.packed("192.0.2.2"))
    near = lab.client.socket(4, socket.SOCK_DGRAM)
    near.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, packets.packed("192.0.2.1"))
    near.sendto(b"not for you", ("233.252.0.2", 9000))
    near.sendto(b"for the group", ("233.252.0.1", 9000))
    _, sender = far.recvfrom(100)
    far.sendto(b"heard", sender)
    lab.pause()
