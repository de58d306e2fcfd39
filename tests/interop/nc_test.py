"""The kernel's nc and ours, both ways, with half-close; UDP too."""

import os
import socket
import subprocess
import threading
import time

from harness import (HOSTS, KERNELS, QUOTED_PARTIAL_CHECKSUM, TRANSOM, Host, Program, check, check_same, random_file, run, test, wait_for_kernel_listener,
                     wait_until, work)

MIB = 1 << 20


# One way at a time: OpenBSD's nc throws away what it still has to send when the other end has finished.
def ends(ours, theirs):
    """The flags and the standard input of our nc and of the kernel's for sending one file; the other end waits for its end."""
    return [(["-N"], ours, [], None), ([], None, ["-N"], theirs)]


@test(each=[(4,), (6,)])
def ours_connects_to_the_kernels(family):
    for our_flags, ours, their_flags, theirs in ends(random_file(5 * MIB, "here"), random_file(8 * MIB, "there")):
        with open(work() / "got", "wb") as out, open(theirs or os.devnull, "rb") as data:
            listener = Program("nc", f"-{family}", "-l", *their_flags, "-p", 50007, stdin=data, stdout=subprocess.DEVNULL if theirs else out)
            with listener as server:
                wait_for_kernel_listener(50007)
                with open(ours or os.devnull, "rb") as source:
                    with Program(TRANSOM, "nc", "--tap", "tap0", "--pcap", work() / f"nc{bool(ours)}.pcap", *our_flags, KERNELS[family], 50007,
                                 stdin=source, stdout=subprocess.DEVNULL if ours else out) as client:
                        client.wait(30)
                server.wait(10)
        check_same(work() / "got", ours or theirs)


@test(each=[(4,), (6,)])
def kernels_connects_to_ours(family):
    for our_flags, ours, their_flags, theirs in ends(random_file(5 * MIB, "here"), random_file(8 * MIB, "there")):
        with open(work() / "got", "wb") as out, open(ours or os.devnull, "rb") as data:
            with Program(TRANSOM, "nc", "--tap", "tap0", "--pcap", work() / f"nc{bool(ours)}.pcap", "-l", *our_flags, 50007, stdin=data,
                         stdout=subprocess.DEVNULL if ours else out) as server:
                wait_until(lambda: try_connecting(family, their_flags, theirs, subprocess.DEVNULL if theirs else out), "a connection")
                server.wait(10)
        check_same(work() / "got", ours or theirs)


def try_connecting(family, flags, data, sink):
    with open(data or os.devnull, "rb") as source:
        command = ["nc", f"-{family}", *flags, HOSTS[family], "50007"]
        return subprocess.run(command, stdin=source, stdout=sink, check=False).returncode == 0


@test(each=[(4,), (6,)])
def reading_goes_on_after_our_end(family):
    """Half-close: we send nothing and end at once; the kernel's program then sends, and we get all of it."""
    data = random_file(5 * MIB, "here").read_bytes()
    with socket.create_server((KERNELS_ANY[family], 50007), family=FAMILIES[family]) as server:
        with open(work() / "got", "wb") as out:
            with Program(TRANSOM, "nc", "--tap", "tap0", "--pcap", work() / "nc.pcap", "-N", KERNELS[family], 50007, stdout=out) as client:
                connection, _ = server.accept()
                check(connection.recv(1) == b"", "the end of the stream did not arrive")
                time.sleep(0.3)
                connection.sendall(data)
                connection.close()
                client.wait(20)
    check((work() / "got").read_bytes() == data, "what came after our FIN is not complete")


@test(each=[(4,), (6,)])
def writing_goes_on_after_their_end(family):
    """Half-close the other way: the kernel's program ends first, and gets all that we send afterwards."""
    with Host("--serve", "chargen=19", "--serve", "echo=7"):
        data = random_file(5 * MIB, "here").read_bytes()
        with socket.create_connection((HOSTS[family], 7), timeout=20) as connection:
            sender = threading.Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
            sender.start()
            received = bytearray()
            while block := connection.recv(1 << 16):
                received += block
            sender.join()
        check(bytes(received) == data, "the echo is not complete")


@test(provokes=[QUOTED_PARTIAL_CHECKSUM])
def echoes_datagrams_of_every_size():
    with Host("--serve", "echo=7", "--serve", "discard=9", "--serve", "chargen=19"):
        for family in (4, 6):
            with socket.socket(FAMILIES[family], socket.SOCK_DGRAM) as client:
                client.settimeout(2)
                client.connect((HOSTS[family], 7))
                for size in (0, 1, 100, 1472, 1473, 9000, 65000, 65507):
                    data = bytes(index % 251 for index in range(size))
                    client.send(data)
                    check(client.recv(1 << 16) == data, f"{size} octets came back changed")
                client.connect((HOSTS[family], 19))
                client.send(b"x" * 100)
                check(len(client.recv(1 << 16)) == 74, "chargen did not answer")
                client.connect((HOSTS[family], 10))
                client.send(b"x")
                try:
                    client.recv(1)
                    check(False, "a closed port answered")
                except ConnectionRefusedError:
                    pass


@test()
def udp_netcat_both_ways():
    for family in (4, 6):
        with open(work() / f"udp{family}", "wb") as out:
            with Program("nc", "-u", f"-{family}", "-l", "-p", 50010 + family, "-W", 1, stdout=out) as server:
                wait_for_kernel_listener(50010 + family, "u")
                (work() / "hello").write_text("hello\n")
                with open(work() / "hello", "rb") as source:
                    with Program(TRANSOM, "nc", "--tap", "tap0", "-u", "-w", 1, KERNELS[family], 50010 + family, stdin=source) as client:
                        client.wait(20)
                server.wait(10)
        check((work() / f"udp{family}").read_text() == "hello\n", "the datagram did not arrive")


@test()
def scans_ports():
    with socket.create_server(("", 50007)):
        run(TRANSOM, "nc", "--tap", "tap0", "-z", "-v", KERNELS[4], 50007)
        output = run(TRANSOM, "nc", "--tap", "tap0", "-z", "-v", KERNELS[4], 50008, expect=1)
        check("refused" in output, "the reason is missing")
        run(TRANSOM, "nc", "--tap", "tap0", "-z", "-u", KERNELS[4], 50009, expect=1)


@test()
def our_keep_alive_probes_are_answered():
    with socket.create_server(("", 50007)) as server:
        with open(work() / "got", "wb") as out:
            with Program(TRANSOM, "nc", "--tap", "tap0", "--pcap", work() / "nc.pcap", "-K", "-N", KERNELS[4], 50007, stdout=out) as client:
                connection, _ = server.accept()
                time.sleep(4)
                connection.sendall(b"still there")
                connection.close()
                client.wait(10)
    check((work() / "got").read_bytes() == b"still there", "the connection did not survive")
    probes = run("tshark", "-n", "-r", work() / "nc.pcap", "-Y", "tcp.analysis.keep_alive && ip.src == 10.9.0.2")
    check(len(probes.strip().splitlines()) >= 2, "no probes were sent")


FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
KERNELS_ANY = {4: "0.0.0.0", 6: "::"}
