"""Bad usage: one clear line that names the next step, and the right exit code. Also the exit status of a neighbour command."""

import os
import pathlib
import re
import shutil
import subprocess

from harness import TRANSOM, Host, Skipped, check, run, test, work

# Arguments, exit code, words of the message.
TABLE = [
    (["up", "--ip", "10.9.0.300/24"], 2, ["10.9.0.300/24", "write it like 10.9.0.2/24"]),
    (["up", "--ip", "10.9.0.2"], 2, ["prefix length", "write 10.9.0.2/24"]),
    (["up", "--ip", "fd09::2::1/64"], 2, ["not an address"]),
    (["up", "--ip", "10.9.0.0/24"], 2, ["choose another address"]),
    (["up", "--ip", "10.9.0.255/24"], 2, ["choose another address"]),
    (["up", "--ip", "10.9.0.2/24", "--ip", "10.9.0.2/24"], 2, ["10.9.0.2/24", "once"]),
    (["up", "--mac", "02:00"], 2, ["not a MAC address", "02:00:00:00:00:01"]),
    (["up", "--mac", "ff:ff:ff:ff:ff:ff"], 2, ["one host"]),
    (["up", "--mtu", "20"], 2, ["--mtu"]),
    (["up", "--gateway", "10.8.0.1"], 2, ["none of this host's networks", "--ip"]),
    (["up", "--gateway", "gateway"], 2, ["not an IP address"]),
    (["up", "--fault", "loss=lots"], 2, ["loss"]),
    (["up", "--serve", "ftp=21"], 2, ["no service 'ftp'", "http=80:DIR"]),
    (["up", "--serve", "echo"], 2, ["port is missing"]),
    (["up", "--serve", "echo=70000"], 2, ["1 to 65535"]),
    (["up", "--serve", "echo=7", "--serve", "discard=7"], 2, ["port 7 is taken", "another port"]),
    (["up", "--serve", "http=80:/nonexistent"], 2, ["/nonexistent", "choose one"]),
    (["up", "--serve", "http=80", "--uploads", "/nonexistent"], 2, ["/nonexistent"]),
    (["up", "--pcap", "/nonexistent/x.pcap"], 2, ["/nonexistent/x.pcap", "name a file"]),
    (["up", "--tap", "tap0", "--tun", "tun0"], 2, ["--tap", "--tun"]),
    (["up", "--tap", "a-name-that-is-too-long"], 2, ["too long"]),
    (["up", "--", "/nonexistent/program"], 2, ["/nonexistent/program"]),
    (["up", "--"], 2, ["no command"]),
    (["ping"], 2, ["address"]),
    (["ping", "10.9.0.300"], 2, ["not an IP address"]),
    (["ping", "-s", "70000", "10.9.0.1"], 2, ["at most 65507"]),
    (["ping", "-4", "fd09::1"], 2, ["leave the flag out"]),
    (["ping", "-c", "1", "192.0.2.1"], 1, ["no route", "--gateway"]),
    (["nc"], 2, ["transom nc 10.9.0.1 80"]),
    (["nc", "80"], 2, ["an address and a port"]),
    (["nc", "10.9.0.1", "http"], 2, ["not a port"]),
    (["nc", "10.9.0.1", "81"], 1, ["refused"]),
    (["nc", "-s", "10.9.0.77", "10.9.0.1", "81"], 2, ["address of this host"]),
    (["ss"], 1, ["no host is running", "transom up"]),
    (["nstat", "--host", "nobody"], 1, ["no host answers", "transom up"]),
    (["ip", "addr", "add"], 2, ["which prefix"]),
    (["ip"], 2, ["transom ip --help"]),
    (["frobnicate"], 2, ["transom --help"]),
    (["up", "--frobnicate"], 2, ["--frobnicate", "transom up --help"]),
    ([], 2, ["transom --help"]),
]


def slug(arguments):
    return "-".join(re.findall(r"\w+", " ".join(arguments))) or "nothing"


@test(each=[(slug(arguments),) for arguments, _, _ in TABLE])
def message(case):
    arguments, code, words = next(row for row in TABLE if slug(row[0]) == case)
    output = run(TRANSOM, *arguments, expect=code, timeout=20)
    errors = [line for line in output.splitlines() if line.startswith("transom: ")]
    check(len(errors) == 1, f"not one line of error but {len(errors)}")
    for word in words:
        check(word in errors[0], f"the message does not say '{word}'")


@test()
def device_in_use():
    with Host():
        output = run(TRANSOM, "up", "--tap", "tap0", "--name", "second", "--", "true", expect=1)
        check("tap0 is in use" in output and "choose another" in output, "the reason or the next step is missing")


@test()
def name_in_use():
    with Host():
        output = run(TRANSOM, "up", "--tap", "tap1", "--name", "host", "--ip", "10.8.0.2/24", "--", "true", expect=2)
        check("choose another --name" in output, "the next step is missing")


@test()
def no_permission():
    def as_nobody(*arguments):
        copy = pathlib.Path(f"/tmp/transom-test-{os.getpid()}")
        shutil.copy(TRANSOM, copy)
        try:
            return subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", copy, *arguments],
                                  env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=30, check=False)
        finally:
            copy.unlink()
            shutil.rmtree("/tmp/transom-65534", ignore_errors=True)

    if os.environ.get("SUDO_UID") is None and not os.access("/proc/1", os.R_OK):
        raise Skipped("needs root")
    done = as_nobody("up", "--tap", "tap0", "--", "true")
    print(done.stdout, done.stderr)
    check(done.returncode == 3, f"status {done.returncode}, not 3")
    check(done.stderr.count("\n") == 1 and done.stderr.startswith("transom: "), "not one line")
    # Without a device none of the machine's is needed, if /dev/net/tun is open to all.
    done = as_nobody("up", "--", "true")
    print(done.stdout, done.stderr)
    everybody = os.stat("/dev/net/tun").st_mode & 0o006 == 0o006
    check(done.returncode == 0 if everybody else done.returncode == 3, f"status {done.returncode} without privilege")


@test()
def status_of_the_neighbour_is_the_result():
    run(TRANSOM, "up", "--", "true")
    run(TRANSOM, "up", "--", "sh", "-c", "exit 7", expect=7)
    run(TRANSOM, "up", "--", "sh", "-c", "kill -9 $$", expect=137)


@test()
def every_help_has_an_example():
    for command in ("up", "ping", "nc", "ss", "netstat", "nstat", "ip", "doctor"):
        check("Example: transom " + command in run(TRANSOM, command, "--help"), f"{command} --help has no example")


@test()
def hosts_can_be_looked_into():
    with Host("--serve", "echo=7", "--serve", "http=80", "--mac", "02:00:00:00:00:02") as host:
        run("curl", "-sS", "http://10.9.0.2/")
        listening = {(entry["protocol"], entry["local"]["port"]) for entry in host.show("ss", "-l")}
        check(listening == {("tcp", 7), ("tcp", 80), ("udp", 7)}, f"listening sockets: {listening}")
        check(host.counter("TcpPassiveOpens") == 1, "nstat does not count the connection")
        device = next(entry for entry in host.show("ip", "addr") if entry["name"] == "tap0")
        check(device["mac"] == "02:00:00:00:00:02", "the MAC address is another")
        check({"10.9.0.2", "fd09::2"} <= {entry["address"] for entry in device["addresses"]}, "addresses are missing")
        check("10.9.0.0/24" in {entry["destination"] for entry in host.show("ip", "route")}, "the route is missing")
        line = next(line for line in run(TRANSOM, "netstat", "-tln").splitlines() if ":80" in line)
        check(line.split()[0].startswith("tcp") and line.split()[3].endswith(":80"), "the columns of netstat")
    doctor = run(TRANSOM, "doctor", expect=None)
    check("namespaces" in doctor and "/dev/net/tun" in doctor, "doctor is silent")
