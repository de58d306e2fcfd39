"""What scanners, traceroute and the kernel's neighbour cache make of the host; changes of the link under load."""

import re
import subprocess
import time

from harness import HOSTS, QUOTED_PARTIAL_CHECKSUM, TRANSOM, Host, Program, check, check_same, random_file, run, test, url, work

MIB = 1 << 20
SERVICES = ("--serve", "echo=7", "--serve", "discard=9", "--serve", "chargen=19", "--serve", "http=80")


def ports(output):
    """{"80/tcp": "open", ...}"""
    return dict(re.findall(r"^(\d+/\w+)\s+(\S+)", output, re.MULTILINE))


@test(timeout=90, provokes=[QUOTED_PARTIAL_CHECKSUM], each=[(4,), (6,)])
def nmap_sees_open_and_closed_ports(family):
    flags = ["-n", "-Pn", "--max-retries", "3"] + (["-6"] if family == 6 else [])
    with Host(*SERVICES):
        for scan in ("-sS", "-sT"):
            seen = ports(run("nmap", *flags, scan, "-p", "7,9,19,80,1,81,8080", HOSTS[family]))
            want = {f"{port}/tcp": "open" if port in (7, 9, 19, 80) else "closed" for port in (7, 9, 19, 80, 1, 81, 8080)}
            check(seen == want, f"{scan}: {seen}")
        seen = ports(run("nmap", *flags, "-sU", "-p", "7,9,19,1,81", HOSTS[family]))
        check(seen.get("7/udp") == "open" and seen.get("9/udp") == "open|filtered", f"open UDP ports: {seen}")
        check(seen.get("1/udp") == "closed" and seen.get("81/udp") == "closed", f"closed UDP ports: {seen}")


@test(provokes=[QUOTED_PARTIAL_CHECKSUM], each=[(4,), (6,)])
def traceroute_ends_at_the_host(family):
    with Host(*SERVICES):
        for method in ([], ["-I"], ["-T", "-p", "80"]):
            output = run("traceroute", f"-{family}", "-n", "-m", "5", "-w", "2", *method, HOSTS[family])
            hops = output.strip().splitlines()[1:]
            check(len(hops) == 1 and HOSTS[family] in hops[0] and "*" not in hops[0], f"traceroute {method} went elsewhere")


@test(each=[(4,), (6,)])
def kernel_finds_the_host_reachable(family):
    with Host() as host:
        run("ping", f"-{family}", "-c", 2, "-i", 0.1, HOSTS[family])
        check("REACHABLE" in run("ip", "neigh", "show", HOSTS[family]), "not REACHABLE")
        ours = {entry["address"]: entry["state"] for entry in host.show("ip", "neigh")}
        check({4: "10.9.0.1", 6: "fd09::1"}[family] in ours, f"the host does not know the kernel: {ours}")


def under_load(change, direction):
    """Transfers while `change` is called again and again."""
    original = random_file(64 * MIB)
    (work() / "uploads").mkdir()
    with Host("--serve", f"http=80:{original.parent}", "--uploads", work() / "uploads", snap=128):
        for family in (4, 6):
            source = ["-o", work() / "down", url(family, "/" + original.name)] if direction == "down" else ["-T", original, url(family, "/up")]
            with Program("curl", "-sS", "--fail", "--limit-rate", "32M", *source) as curl:
                turn = 0
                while curl.process.poll() is None:
                    change(turn)
                    turn += 1
                    time.sleep(0.2)
                curl.wait(1)
            check(turn > 3, "the transfer was too quick for this test")
            check_same(work() / "down" if direction == "down" else work() / "uploads" / "up", original)


@test(timeout=90, long=True, each=[("down",), ("up",)])
def survives_the_loss_of_the_neighbour_entry(direction):
    under_load(lambda _: run("ip", "neigh", "flush", "dev", "tap0"), direction)


@test(timeout=90, long=True, each=[("down",), ("up",)])
def survives_a_change_of_the_mtu(direction):
    under_load(lambda turn: run("ip", "link", "set", "tap0", "mtu", (1500, 1400, 1280, 1492)[turn % 4]), direction)


@test(timeout=90, long=True)
def survives_the_link_going_down_for_a_moment():
    def change(turn):
        if turn == 3:
            run("ip", "link", "set", "tap0", "down")
            time.sleep(0.5)
            run("ip", "link", "set", "tap0", "up")
            run("ip", "addr", "replace", "fd09::1/64", "dev", "tap0", "nodad")
    under_load(change, "down")


@test()
def duplicate_address_is_noticed():
    """The kernel has the address already: conflict detection says so, and the host does not start."""
    run("ip", "tuntap", "add", "dev", "tap0", "mode", "tap")
    run("ip", "addr", "add", "10.9.0.2/24", "dev", "tap0")
    run("ip", "link", "set", "tap0", "up")
    output = run(TRANSOM, "up", "--tap", "tap0", "--ip", "10.9.0.2/24", "--", "true", expect=1)
    check("in use by another machine" in output, "the reason is missing")
