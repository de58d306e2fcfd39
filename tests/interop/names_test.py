"""Configured by dnsmasq: DHCP, router advertisements, DNS. The kernel's end of the device is where it listens."""

import re

from harness import TRANSOM, Host, Program, Skipped, check, run, test, wait_until, work


class Dnsmasq:
    """dnsmasq on tap0, which is made here so that it listens before the host comes up."""

    def __init__(self, *flags):
        self.log = work() / "dnsmasq.log"
        self.leases = work() / "leases"
        self.flags = flags

    def __enter__(self):
        run("ip", "tuntap", "add", "tap0", "mode", "tap")
        run("ip", "address", "add", "10.9.0.1/24", "dev", "tap0")
        run("ip", "address", "add", "fd09::1/64", "dev", "tap0", "nodad")
        run("ip", "link", "set", "tap0", "up")
        self.program = Program(
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--no-resolv", "--no-hosts",
            "--interface=tap0", "--bind-dynamic", f"--dhcp-leasefile={self.leases}", "--dhcp-authoritative", "--no-ping", "--log-dhcp",
            "--log-queries", f"--log-facility={self.log}", "--dhcp-range=10.9.0.50,10.9.0.60,255.255.255.0,10m",
            "--dhcp-option=option:router,10.9.0.1", "--domain=lan.test", "--dhcp-range=::,constructor:tap0,ra-only,64,10m", "--enable-ra",
            "--address=/www.lan.test/10.9.0.1", "--address=/www.lan.test/fd09::1", "--host-record=one.lan.test,10.9.0.1",
            *self.flags)
        self.program.__enter__()
        wait_until(lambda: self.program.process.poll() is not None or (self.log.exists() and "DHCP" in self.said()), "dnsmasq coming up")
        if self.program.process.poll() is not None:
            raise Skipped("dnsmasq does not run here: it wants to be root outside of a user namespace")
        return self

    def __exit__(self, *arguments):
        self.program.__exit__(*arguments)
        print(self.said(), flush=True)

    def said(self):
        return self.log.read_text(errors="replace")


@test()
def a_host_gets_all_it_needs_from_dhcp_and_routers():
    with Dnsmasq() as server:
        with Host("--dhcp", "--slaac", "--serve", "echo=7") as host:
            addresses = run(TRANSOM, "ip", "addr", "--host", "host")
            v4 = re.search(r"10\.9\.0\.(5\d|60)/24", addresses)
            v6 = re.findall(r"fd09::[0-9a-f:]+/64", addresses)
            check(v4, f"no address of the range: {addresses}")
            check(len(set(v6)) == 2, f"not one stable and one temporary address: {v6}")
            routes = run(TRANSOM, "ip", "route", "--host", "host")
            check("10.9.0.1" in routes and re.search(r"fe80::", routes), f"no default routes: {routes}")
            for address in [v4.group(0)] + v6:
                run("ping", "-c", "1", "-W", "3", address.split("/")[0])
            check("DHCPACK" in server.said(), "no lease")
        wait_until(lambda: "DHCPRELEASE" in server.said(), "the lease given back")
        check(server.leases.read_text().strip().count("10.9.0.") == 0, f"a lease is left: {server.leases.read_text()}")


@test()
def names_are_looked_up_at_the_server_that_dhcp_names():
    with Dnsmasq() as server:
        shown = run(TRANSOM, "ping", "--tap", "tap0", "--dhcp", "-c", "2", "-i", "0.1", "www.lan.test")
        check("10.9.0.1" in shown and " 0% packet loss" in shown, f"no answer: {shown}")
        # By the domain that it also gives.
        shown = run(TRANSOM, "ping", "--tap", "tap0", "--dhcp", "-c", "1", "-4", "one")
        check("10.9.0.1" in shown and " 0% packet loss" in shown, f"no answer: {shown}")
        check("query[A] one.lan.test" in server.said(), "the search domain was not tried")


@test()
def names_are_looked_up_at_the_server_that_routers_name():
    with Dnsmasq() as server:
        shown = run(TRANSOM, "ping", "--tap", "tap0", "--slaac", "-c", "2", "-i", "0.1", "www.lan.test")
        check("fd09::1" in shown and " 0% packet loss" in shown, f"no answer: {shown}")
        check(re.search(r"query\[AAAA\] www.lan.test from fe80::", server.said()), "the router was not asked, which names its link-local address")


@test()
def nc_takes_names_and_says_when_there_is_none():
    with Dnsmasq():
        flags = ["--tap", "tap0", "--ip", "10.9.0.2/24", "--dns", "10.9.0.1"]
        with Program("ncat", "-l", "10.9.0.1", "5000", "-c", "cat"):
            wait_until(lambda: ":5000 " in run("ss", "-Hnlt"), "ncat listening")
            run(TRANSOM, "nc", *flags, "-4", "-z", "-w", "5", "one.lan.test", "5000")
        # Both families in turn (RFC 8305): that one which nobody answers does not keep the other waiting.
        with Program("ncat", "-4", "-lk", "10.9.0.1", "5001"):
            wait_until(lambda: ":5001 " in run("ss", "-Hnlt"), "ncat listening")
            run("ip", "-6", "route", "add", "blackhole", "fd09::2")
            shown = run(TRANSOM, "nc", *flags, "--ip", "fd09::2/64", "-z", "-v", "-w", "10", "www.lan.test", "5001")
            check("www.lan.test, 10.9.0.1:5001" in shown, f"not the address that answers: {shown}")
        shown = run(TRANSOM, "nc", *flags, "www.lan.test", "5002", expect=1)
        check("cannot connect to www.lan.test port 5002: Connection refused" in shown, shown)
        shown = run(TRANSOM, "nc", *flags, "missing.lan.test", "5000", expect=1)
        check("cannot look up missing.lan.test" in shown, shown)
        shown = run(TRANSOM, "nc", "--tap", "tap0", "--ip", "10.9.0.2/24", "www.lan.test", "5000", expect=1)
        check("no name server is known; give one with --dns" in shown, shown)


LOOK_ROUND = "ip -br address show dev tap0; cat /etc/resolv.conf; getent ahostsv4 www.lan.test; getent ahosts one"


def check_what_a_program_finds(shown, servers):
    check(re.search(r"10\.9\.0\.(5\d|60)/24", shown), "the address of the lease is not to be seen")
    check(len(set(re.findall(r"fd09::[0-9a-f:]+/64", shown))) == 2, "one stable and one temporary address are not to be seen")
    for server in servers:
        check(f"nameserver {server}" in shown, f"{server} is not in resolv.conf")
    check("search lan.test" in shown, "the search domain is not in resolv.conf")
    check(re.search(r"10\.9\.0\.1 +STREAM www.lan.test", shown), "the name was not looked up")
    check(re.search(r"10\.9\.0\.1 +STREAM one", shown), "nor that in the search domain")


@test()
def a_program_finds_what_dhcp_and_routers_have_told():
    with Dnsmasq() as server:
        shown = run(TRANSOM, "run", "--tap", "tap0", "--dhcp", "--slaac", "--", "sh", "-c", LOOK_ROUND)
        check_what_a_program_finds(shown, ["10.9.0.1", "fe80::"])
        shown = run(TRANSOM, "run", "--tap", "tap0", "--slaac", "--", "getent", "ahostsv6", "www.lan.test")
        check(re.search(r"query\[AAAA\] www.lan.test from fe80::", server.said()) and "fd09::1" in shown, "the router was not asked")


@test()
def a_program_on_a_running_host_finds_it_too():
    with Dnsmasq(), Host("--dhcp", "--slaac"):
        check_what_a_program_finds(run(TRANSOM, "run", "--attach", "host", "--", "sh", "-c", LOOK_ROUND), ["10.9.0.1", "fe80::"])
        shown = run(TRANSOM, "run", "--attach", "host", "--dns", "10.9.0.9", "--", "cat", "/etc/resolv.conf")
        check(shown.startswith("nameserver 10.9.0.9\n") and "10.9.0.1" not in shown, "the server that was given is not the one")


@test()
def resolv_conf_may_be_a_link_to_that_of_a_service_which_is_hidden():
    shown = run("unshare", "--mount", "sh", "-ec", f"""
        mount -t tmpfs none /mnt; cp -a /etc/. /mnt; mount --bind /mnt /etc
        mount -t tmpfs none /run; mkdir -p /run/systemd/resolve
        echo nameserver 127.0.0.53 > /run/systemd/resolve/stub-resolv.conf
        ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
        {TRANSOM} run --dns 10.9.0.1 -- sh -c 'cat /etc/resolv.conf; ls /run/systemd/resolve'""")
    check("nameserver 10.9.0.1" in shown and "127.0.0.53" not in shown, "the server that was given is not the one")


@test(timeout=90)
def without_a_server_it_says_so():
    run("ip", "tuntap", "add", "tap0", "mode", "tap")
    run("ip", "link", "set", "tap0", "up")
    shown = run(TRANSOM, "up", "--tap", "tap0", "--dhcp", expect=1)
    check("no DHCP server has given an address on tap0" in shown, shown)
