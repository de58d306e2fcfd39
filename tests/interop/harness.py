"""What the tests with real programs share. Each test runs in a network namespace of its own, as root in it: the kernel's side of the
device is there too, so real programs just run."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TRANSOM_BUILD", ROOT / "build" / "release"))
TRANSOM = BUILD / "bin" / "transom"
LOGS = ROOT / "build" / "interop"
HOSTS = {4: "10.9.0.2", 6: "fd09::2"}
KERNELS = {4: "10.9.0.1", 6: "fd09::1"}
TESTS = []


class Failed(Exception):
    """The test has failed; the message says why."""


class Skipped(Exception):
    """The machine lacks something that the test needs."""


def test(timeout=60, long=False, minutes=False, provokes=(), each=None):
    """Marks a test function. `provokes`: patterns of expert messages that tshark may raise, because the test causes them.
    `minutes`: takes so long that it is run only when asked for. `each`: a list of argument tuples; one test per tuple, named after it."""
    def register(function):
        for arguments in each or [()]:
            name = "/".join([function.__module__.removesuffix("_test")] + [function.__name__] + [str(word) for word in arguments])
            TESTS.append({"name": "interop/" + name, "function": function, "arguments": arguments, "timeout": timeout,
                          "long": long, "minutes": minutes, "provokes": list(provokes)})
        return function
    return register


def check(condition, message):
    if not condition:
        raise Failed(message)


def work():
    """The directory of the running test: its logs, captures and files."""
    return pathlib.Path(os.environ["TRANSOM_TEST_DIRECTORY"])


def run(*command, expect=0, timeout=60, stdin=None, environment=None):
    """Runs a program; returns its output, standard error included. `expect`: its exit status; None for any."""
    words = [str(word) for word in command]
    print("$", " ".join(words), flush=True)
    done = subprocess.run(words, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout, env=dict(os.environ, **(environment or {})), check=False)
    output = done.stdout.decode(errors="replace")
    print(output, end="", flush=True)
    if expect is not None and done.returncode != expect:
        raise Failed(f"{words[0]} ended with status {done.returncode}, not {expect}: {output.strip()[-300:]}")
    return output


def url(family, path="/", port=80):
    host = f"[{HOSTS[6]}]" if family == 6 else HOSTS[4]
    return f"http://{host}:{port}{path}"


class Program:
    """A program in the background."""

    def __init__(self, *command, stdin=None, stdout=None):
        words = [str(word) for word in command]
        print("$", " ".join(words), "&", flush=True)
        self.words = words
        # Unless told otherwise, what it prints goes to the log of the test.
        self.process = subprocess.Popen(words, stdin=stdin or subprocess.DEVNULL, stdout=stdout)

    def wait(self, timeout=60, expect=0):
        status = self.process.wait(timeout)
        check(status == expect, f"{' '.join(self.words[:3])} ended with status {status}, not {expect}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Host:
    """`transom up` on tap0, or on another device, in this namespace. Ends with Ctrl-C, which must be clean."""
    count = 0

    def __init__(self, *flags, device=("--tap", "tap0"), capture=True, snap=None):
        Host.count += 1
        self.capture = work() / f"host{Host.count}.pcap" if capture else None
        self.command = [str(TRANSOM), "up", *device, "--name", "host"] + [str(flag) for flag in flags]
        if capture:
            self.command += ["--pcap", str(self.capture)] + (["--snap-length", str(snap)] if snap else [])

    def __enter__(self):
        print("$", " ".join(self.command), "&", flush=True)
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            print(line, end="", flush=True)
            if line.startswith("ready"):
                return self
        raise Failed(f"transom up ended with status {self.process.wait()}")

    def __exit__(self, kind, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        try:
            status = self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            if kind is None:
                raise Failed("transom up did not end within 15 s of Ctrl-C") from None
            return
        if kind is None:
            check(status == 0, f"transom up ended with status {status}")

    def show(self, *command):
        return json.loads(run(TRANSOM, *command, "--host", "host", "--json"))

    def counter(self, name):
        return self.show("nstat", "-asz", name)[name]


# ---------------------------------------------------------------- files

def random_file(size, name="data"):
    """A file of random octets, made once for all tests; returns its path."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{name}-{size}"
    if not path.exists():
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex}")  # another test may be making it, too
        with open(part, "wb") as out:
            left = size
            while left > 0:
                out.write(os.urandom(min(left, 1 << 20)))
                left -= min(left, 1 << 20)
        with contextlib.suppress(FileExistsError):
            os.link(part, path)  # whoever is first wins: others may be reading that one already
        part.unlink()
    return path


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_same(path, original):
    """The contents must be equal."""
    check(os.path.getsize(path) == os.path.getsize(original), f"{path} has {os.path.getsize(path)} octets, {original} has "
          f"{os.path.getsize(original)}")
    check(sha256(path) == sha256(original), f"{path} differs from {original}")


def wait_until(condition, what, timeout=10):
    deadline = time.monotonic() + timeout
    while not condition():
        check(time.monotonic() < deadline, f"{what}: not within {timeout} s")
        time.sleep(0.02)


def wait_for_kernel_listener(port, protocol="t"):
    wait_until(lambda: f":{port} " in subprocess.run(["ss", f"-Hnl{protocol}"], capture_output=True, text=True, check=True).stdout,
               f"a kernel program listening on port {port}")


# ---------------------------------------------------------------- captures

# An ICMP error quotes what arrived, and the kernel leaves the checksum of what it sends to the device (NETIF_F_HW_CSUM): the quoted
# UDP or TCP checksum is then that of the pseudo-header alone. The capture shows the quote as it is.
QUOTED_PARTIAL_CHECKSUM = r"^\d+\|(1,1)?\|.*Bad checksum"

# Where the kernel fills in a checksum itself, it writes 0xffff for 0 of TCP, too: the same number of one's complement.
OTHER_ZERO = r"Checksum 0xffff instead of 0x0000"


def check_capture(path, provokes):
    """tshark must find no malformed packet, no bad checksum and no expert error that the test did not provoke."""
    fields = ["frame.number", "ip.checksum.status", "tcp.checksum.status", "udp.checksum.status", "icmp.checksum.status",
              "icmpv6.checksum.status", "_ws.malformed", "_ws.expert.severity", "_ws.expert.message"]
    # What TCP and UDP carry is plain data here: random octets now and then look like somebody's protocol, gone wrong.
    command = ["tshark", "-n", "-r", str(path), "-d", "tcp.port==1-65535,data", "-d", "udp.port==1-65535,data", "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"]
    for protocol in ("ip", "tcp", "udp", "icmp"):
        if protocol != "icmp":
            command += ["-o", f"{protocol}.check_checksum:TRUE"]
    for field in fields:
        command += ["-e", field]
    bad = "(_ws.malformed || _ws.expert.severity == error || ip.checksum.status == bad || tcp.checksum.status == bad || " \
          "udp.checksum.status == bad || icmp.checksum.status == bad || icmpv6.checksum.status == bad)"
    done = subprocess.run(command + ["-Y", bad], capture_output=True, text=True, check=False)
    complaint = [line for line in done.stderr.splitlines() if "Running as user" not in line and "cut short" not in line]
    check(done.returncode == 0 or "cut short" in done.stderr, f"tshark cannot read {path}: {' '.join(complaint)}")
    problems = [line for line in done.stdout.splitlines() if not any(re.search(pattern, line) for pattern in [*provokes, OTHER_ZERO])]
    check(not problems, f"{path.name}: {len(problems)} bad packets, the first: {'; '.join(problems[:3])}")


def check_captures(provokes):
    captures = sorted(work().glob("*.pcap"))
    for capture in captures:
        check_capture(capture, provokes)
        print(f"{capture.name}: {capture.stat().st_size} octets, nothing to complain of", flush=True)
    return len(captures)
