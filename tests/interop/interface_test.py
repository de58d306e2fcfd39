"""Hosts on an interface of the kernel that is no TAP: one end of a veth pair, whose other end is the kernel's."""

import socket
import subprocess

from harness import HOSTS, KERNELS, TRANSOM, Host, Program, Skipped, check, check_same, random_file, run, test, url, wait_for_kernel_listener, work

MIB = 1 << 20


def veth(driver="packet"):
    """v0 is for the host, v1 is the kernel's."""
    run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
    run("ip", "address", "add", f"{KERNELS[4]}/24", "dev", "v1")
    run("ip", "address", "add", f"{KERNELS[6]}/64", "dev", "v1", "nodad")
    for name in ("v0", "v1"):
        run("ip", "link", "set", name, "up")
    if driver == "xdp":
        said = run(TRANSOM, "ping", "--xdp", "v0", "-c", 1, KERNELS[4], expect=None)
        if "cannot be used by AF_XDP" in said:
            raise Skipped(said.strip())
        run("ethtool", "-K", "v1", "tx", "off", "tso", "off", "gso", "off")  # nobody else would make the checksums


def on_veth(*flags, driver="packet", **how):
    veth(driver)
    return Host(*flags, device=(f"--{driver}", "v0"), **how)


DRIVERS = ["packet", "xdp"]
EACH = [(driver, family) for driver in DRIVERS for family in (4, 6)]


@test(each=EACH)
def kernel_pings_host(driver, family):
    with on_veth(driver=driver):
        for size in (0, 56, 1472, 1473, 20000):
            shown = run("ping", f"-{family}", "-c", 5, "-i", 0.05, "-W", 2, "-s", size, HOSTS[family])
            check(" 0% packet loss" in shown, f"lost some of {size} octets")


@test(each=EACH)
def host_pings_kernel(driver, family):
    veth(driver)
    for size in (56, 1472, 20000):
        run(TRANSOM, "ping", f"--{driver}", "v0", "-c", 5, "-i", 0.05, "-W", 2, "-s", size, KERNELS[family])


@test(each=EACH)
def files_go_both_ways(driver, family):
    file = random_file(20 * MIB)
    uploads = work() / "uploads"
    uploads.mkdir()
    with on_veth("--serve", f"http=80:{file.parent}", "--uploads", uploads, driver=driver, snap=200):
        run("curl", "-sS", "--fail", "-o", work() / "got", url(family, f"/{file.name}"))
        check_same(work() / "got", file)
        run("curl", "-sS", "--fail", "-T", file, url(family, "/sent"))
        check_same(uploads / "sent", file)


@test(each=[(4,), (6,)])
def frames_of_wire_size_go_both_ways(family):
    """No super-frames, and no partial checksums, in either direction."""
    file = random_file(4 * MIB)
    uploads = work() / "uploads"
    uploads.mkdir()
    with on_veth("--serve", f"http=80:{file.parent}", "--uploads", uploads, "--no-offload", snap=200) as host:
        run("ethtool", "-K", "v1", "tso", "off", "gso", "off", "gro", "off", "tx", "off")
        run("curl", "-sS", "--fail", "-o", work() / "got", url(family, f"/{file.name}"))
        check_same(work() / "got", file)
        run("curl", "-sS", "--fail", "-T", file, url(family, "/sent"))
        check_same(uploads / "sent", file)
    longest = run("tshark", "-n", "-r", host.capture, "-Y", "frame.len > 1514", "-c", 1)
    check("TCP" not in longest, f"a frame is longer than the MTU: {longest}")


@test(each=[(driver, *flags) for driver in DRIVERS for flags in ((), ("-R",), ("-u", "-b", "50M"))])
def iperf3_reaches_the_kernel(driver, *flags):
    veth(driver)
    with Program("iperf3", "-s", "-1"):
        wait_for_kernel_listener(5201)
        run(TRANSOM, "run", f"--{driver}", "v0", "--", "iperf3", "-c", KERNELS[4], "-t", 1, *flags)


@test()
def a_tag_that_the_kernel_strips_is_put_back():
    """A frame of a VLAN that the host is not on is not for it, although the kernel hands the tag over beside the frame."""
    with on_veth() as host:
        sender = bytes.fromhex("020000000009") + socket.inet_aton("10.9.0.9")
        question = bytes.fromhex("0001080006040001") + sender + bytes(6) + socket.inet_aton(HOSTS[4])
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            wire.bind(("v1", 0))
            for tag in (5, 0):  # 0: a priority and no VLAN
                wire.send(b"\xff" * 6 + sender[:6] + bytes.fromhex("8100") + tag.to_bytes(2, "big") + bytes.fromhex("0806") + question)
        run("ping", "-c", 1, "-W", 2, HOSTS[4])  # behind them
    asked = run("tshark", "-n", "-r", host.capture, "-Y", "vlan.id == 5 && arp.opcode == 1")
    check("Who has 10.9.0.2" in asked, "the host did not see the tag")
    answers = run("tshark", "-n", "-r", host.capture, "-Y", "arp.opcode == 2 && arp.dst.proto_ipv4 == 10.9.0.9").count("10.9.0.2 is at")
    check(answers == 1, f"{answers} answers: one was due, to the frame without a VLAN")



@test(each=[(4,), (6,)])
def datagrams_that_come_in_one_frame_are_cut_apart(family):
    """What QUIC does: one call, many datagrams, which a veth pair does not cut."""
    udp_segment = 103
    with on_veth("--serve", "echo=7"), socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.IPPROTO_UDP, udp_segment, 1000)
        client.settimeout(5)
        client.connect((HOSTS[family], 7))
        client.send(b"?")  # its neighbour is known from here on
        check(client.recv(2000) == b"?", "no echo")
        text = bytes(range(250)) * 70
        client.send(text)
        echoed = [client.recv(2000) for _ in range(18)]
        check([len(part) for part in echoed] == [1000] * 17 + [500], f"lengths {[len(part) for part in echoed]}")
        check(b"".join(echoed) == text, "the octets differ")


@test(provokes=["Bad checksum"])
def without_checksums_nothing_is_taken_by_xdp():
    """What docs/devices.md says of a peer that leaves them to the device: dropped and counted, not believed."""
    with on_veth(driver="xdp") as host:
        run("ethtool", "-K", "v1", "tx", "on")
        run("sh", "-c", f"echo text | nc -u -w 1 {HOSTS[4]} 9", expect=None)
        check(host.counter("UdpInCsumErrors") > 0, "a partial checksum was taken for a good one")


@test()
def says_what_is_wrong_with_an_interface():
    veth()
    run("ip", "link", "set", "v0", "down")
    for device, flags, status, text in (("nowhere0", [], 2, "does not exist"), ("lo", [], 2, "is no Ethernet interface"), ("v0", [], 2, "is down"),
                                        ("v1", ["--ip", f"{KERNELS[4]}/24"], 2, "is the kernel's own address")):
        said = run(TRANSOM, "up", "--packet", device, *flags, "--", "true", expect=status)
        check(text in said and "; " in said, f"{device}: {said}")


@test(each=[(driver,) for driver in DRIVERS])
def says_so_when_the_interface_goes(driver):
    veth(driver)
    command = [str(TRANSOM), "up", f"--{driver}", "v0"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout:
            if line.startswith("ready"):
                break
        run("ip", "link", "delete", "v1")
        said = process.communicate(timeout=15)[0]
        check("v0 is gone" in said and process.returncode != 0, f"status {process.returncode}: {said}")
