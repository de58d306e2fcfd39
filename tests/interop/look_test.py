"""Looking into a running host, and changing it: ss, netstat, nstat, sysctl, ip, dump."""

import json
import os
import re
import subprocess
import time

from harness import HOSTS, KERNELS, TRANSOM, Host, Program, check, run, test, wait_until, work


def transom(*command, expect=0):
    return run(TRANSOM, *command, "--host", "host", expect=expect)


@test()
def ss_filters_as_that_of_iproute2():
    with Host("--serve", "echo=7") as host, Program("nc", HOSTS[4], "7", stdin=subprocess.PIPE) as client:
        wait_until(lambda: any(socket["state"] == "ESTAB" for socket in host.show("ss", "-t")), "a connection")
        for words, expected in (([], 1), (["state", "established"], 1), (["state", "listening"], 0), (["sport", "=", ":7"], 1),
                                (["( sport = :9 or dport < :1024 )"], 0), (["dst", KERNELS[4]], 1), (["dst", "!=", KERNELS[4]], 0),
                                (["exclude", "established"], 0), (["dev", "tap0"], 1)):
            ours = transom("ss", "-tnH", "-4", *words).splitlines()
            ours = [line for line in ours if "LISTEN" not in line]
            check(len(ours) == expected, f"{words}: {ours}")
        # The same connection as the kernel sees it, the other way round.
        theirs = run("ss", "-tnH", "dport", "=", ":7").split()
        ours = transom("ss", "-tnH", "sport", "=", ":7").split()
        check(ours[0] == theirs[0] == "ESTAB", f"{ours} {theirs}")
        check(ours[3:5] == [theirs[4], theirs[3]], f"{ours} {theirs}")
        client.process.stdin.close()


@test()
def ss_has_the_fields_of_iproute2():
    """Each name of ss -tinmpo of iproute2 for a connection that has done something stands in ours, in the same form."""
    with Host("--serve", "echo=7"), Program("nc", HOSTS[4], "7", stdin=subprocess.PIPE) as client:
        client.process.stdin.write(b"hello\n")
        client.process.stdin.flush()
        time.sleep(0.5)
        theirs = run("ss", "-tinmoeH", "dport", "=", ":7")
        ours = transom("ss", "-tinmoepH", "sport", "=", ":7")
        theirs = re.sub(r"\w+:\([^)]*(bw|w_max|alpha)[^)]*\)", "", theirs)  # of the kernel's congestion control
        names = set(re.findall(r"([a-z_]+):[\d(]", theirs)) - {"ino", "sk", "cgroup", "uid"}
        missing = sorted(name for name in names if f"{name}:" not in ours)
        check(not missing, f"ss of iproute2 has {missing}, which ours lacks: {ours}")
        check("limited_now:" in ours, "what limits the connection now is not said")
        check(re.search(r'users:\(\("transom",pid=\d+', ours) is not None, "whose it is is not said")
        info = json.loads(transom("ss", "-tn", "sport", "=", ":7", "--json"))[0]["info"]
        check(info["limited_now"] == "idle", f"limited by {info['limited_now']}")
        client.process.stdin.close()


@test()
def nstat_counts_from_the_last_time_as_that_of_iproute2():
    def received(*flags):
        run("ping", "-c", "1", "-W", "2", HOSTS[4])
        shown = transom("nstat", *flags, "IcmpInEcho*")
        return [int(line.split()[1]) for line in shown.splitlines() if line.startswith("IcmpInEchos")]

    with Host():
        check(received() == [1], "the first time it is all there was")
        check(received("-s") == [1] and received() == [2], "what was not to count as the last time did")
        check(received("-n") == [] and transom("nstat", "IcmpInEcho*") == "#transom\n", "it counted from elsewhere")
        check(received("-a") == [5], "-a is not from the start")
        check(received("-r") == [6] and received("-j") == [], "the history was not forgotten")
        check(json.loads(transom("nstat", "-z", "--json", "IcmpInEchos")) == {"IcmpInEchos": 0}, "nothing new is not 0")


@test()
def settings_of_a_running_host_can_be_changed():
    with Host("--serve", "echo=7"):
        check(transom("sysctl", "net.ipv4.tcp_sack") == "net.ipv4.tcp_sack = 1\n", "sysctl shows it otherwise")
        check(transom("sysctl", "-n", "-w", "net.ipv4.tcp_sack=0") == "0\n", "it was not changed")
        check(json.loads(transom("sysctl", "-a", "--json"))["net.ipv4.tcp_sack"] == "0", "the change is not shown")
        with Program("nc", HOSTS[4], "7", stdin=subprocess.PIPE) as client:
            wait_until(lambda: "ESTAB" in run("ss", "-tnH", "dport", "=", ":7"), "a connection")
            check(" sack" not in run("ss", "-tinH", "dport", "=", ":7"), "SACK was agreed on all the same")
            client.process.stdin.close()
        transom("sysctl", "net.ipv4.tcp_sack=7", expect=2)
        transom("sysctl", "net.ipv4.nothing", expect=2)
        # The names are Linux's; some are of the initial namespace alone, or newer than this kernel.
        names = [name for name in transom("sysctl", "-aN").split() if ".neigh.default." not in name]
        known = [name for name in names if os.path.exists("/proc/sys/" + name.replace(".", "/"))]
        check(len(known) >= len(names) - 4, f"Linux does not know {sorted(set(names) - set(known))}")


@test()
def addresses_routes_and_neighbours_can_be_changed():
    with Host():
        transom("ip", "addr", "add", "10.9.0.77/24", "dev", "tap0")
        run("ping", "-c", "1", "-W", "2", "10.9.0.77")
        transom("ip", "addr", "del", "10.9.0.77/24", "dev", "tap0")
        run("ip", "neigh", "flush", "all")
        run("ping", "-c", "1", "-W", "1", "10.9.0.77", expect=1)

        run("ip", "addr", "add", "10.55.0.1/32", "dev", "lo")
        run(TRANSOM, "ip", "--host", "host", "route", "get", "10.55.0.1", expect=2)
        transom("ip", "route", "add", "10.55.0.0/16", "via", "10.9.0.1")
        check("via 10.9.0.1 dev tap0" in transom("ip", "route", "get", "10.55.0.1"), "the route is not used")
        run("ping", "-c", "1", "-W", "2", "-I", "10.55.0.1", HOSTS[4])
        transom("ip", "route", "del", "10.55.0.0/16")
        run("ping", "-c", "1", "-W", "1", "-I", "10.55.0.1", HOSTS[4], expect=1)

        transom("ip", "neigh", "replace", "10.9.0.88", "lladdr", "02:00:00:00:00:88", "dev", "tap0")
        check("10.9.0.88 dev tap0 lladdr 02:00:00:00:00:88 PERMANENT" in transom("ip", "neigh"), "the neighbour is not there")
        transom("ip", "neigh", "del", "10.9.0.88", "dev", "tap0")
        check("10.9.0.88" not in transom("ip", "neigh"), "the neighbour is still there")
        check("224.0.0.1" in transom("ip", "maddr"), "all hosts is a group of every interface")
        transom("ip", "link", "set", "tap0", "mtu", "1400")
        check("mtu 1400" in transom("ip", "addr", "show", "dev", "tap0"), "the mtu is as before")


@test()
def dump_shows_what_passes_as_tcpdump_does():
    with Host("--serve", "echo=7") as host:
        watching = [subprocess.Popen([str(TRANSOM), "dump", "--host", "host"] + words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                    for words in (["-c", "2", "-n", "icmp"], ["-c", "2", "-w", str(work() / "dump.pcap"), "icmp", "and", "host", KERNELS[4]],
                                  ["-c", "1", "-i", "any", "-Q", "out", "--json", "icmp"])]
        for dump in watching:
            check(dump.stderr.readline().startswith("listening on"), "the dump did not begin")
        run("ping", "-c", "2", "-W", "2", HOSTS[4])
        outputs = [dump.communicate(timeout=20)[0] for dump in watching]
        check([dump.returncode for dump in watching] == [0, 0, 0], "a dump failed")
        lines = outputs[0].splitlines()
        check(len(lines) == 2 and "10.9.0.1 > 10.9.0.2" in lines[0] and "10.9.0.2 > 10.9.0.1" in lines[1], f"{lines}")
        captured = run("tcpdump", "-n", "-r", work() / "dump.pcap")
        check("ICMP echo request" in captured and "ICMP echo reply" in captured, captured)
        packet = json.loads(outputs[2])
        check(packet["direction"] == "Out" and packet["interface"] == "tap0", f"{packet}")
        run(TRANSOM, "dump", "--host", "host", "no", "such", "filter", expect=2)
        check(host.counter("IcmpInEchos") == 2, "the host has gone on")
