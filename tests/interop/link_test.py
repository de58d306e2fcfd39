"""`transom link`: two namespaces' kernels over an emulated link."""

import contextlib
import re
import signal
import subprocess
import sys

from harness import TRANSOM, check, check_same, random_file, run, test, wait_until, work

MIB = 1 << 20


class Link:
    """left (10.8.0.1) in this namespace, right (10.8.0.2) in another one."""

    def __init__(self, *words):
        self.command = [str(TRANSOM), "link", "left", "right"] + [str(word) for word in words]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            print(line, end="", flush=True)
            if line.startswith("ready"):
                break
        self.other = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo here; exec sleep 1000"], stdout=subprocess.PIPE)
        self.other.stdout.readline()
        run("ip", "link", "set", "right", "netns", self.other.pid)
        run("ip", "address", "add", "10.8.0.1/24", "dev", "left")
        self.there("ip", "address", "add", "10.8.0.2/24", "dev", "right")
        self.there("ip", "link", "set", "right", "up")
        return self

    def there(self, *command, **how):
        return run("nsenter", "-t", self.other.pid, "-n", *command, **how)

    def end(self):
        """Ends with Ctrl-C; what it then prints."""
        self.process.send_signal(signal.SIGINT)
        output, errors = self.process.communicate(timeout=15)
        print(output, errors, flush=True)
        check(self.process.returncode == 0, f"transom link ended with status {self.process.returncode}")
        return output

    def __exit__(self, *_):
        for process in (self.other, self.process):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()


@test()
def delays_what_crosses():
    with Link("--delay", "30ms", "--back-delay", "10ms") as link:
        shown = run("ping", "-c", "3", "-i", "0.2", "10.8.0.2")
        times = [float(time) for time in re.findall(r"time=([\d.]+)", shown)]
        check(len(times) == 3 and min(times) >= 40, f"30 ms there and 10 ms back took {times}")
        shown = link.end()
        check(re.search(r"left>right +\d+ +0 +0 +0 ", shown) and "right>left" in shown, f"no table at the end: {shown}")


@test()
def loses_what_it_is_told_to_lose():
    with Link("--loss", "100%") as link:
        # ARP does not get through either.
        shown = run("ping", "-c", "2", "-i", "0.2", "-W", "1", "10.8.0.2", expect=1)
        check("100% packet loss" in shown, shown)
        lost = re.search(r"left>right +(\d+) +0 +0 +(\d+)", link.end())
        check(lost and lost[1] == lost[2] != "0", f"not all are lost: {lost}")


@test()
def carries_the_kernels_tcp_whole_through_a_bad_link():
    original = random_file(2 * MIB)
    received = work() / "received"
    script = ("import socket, sys\nlistener = socket.create_server(('10.8.0.2', 5001))\nprint('listening', flush=True)\n"
              "connection, _ = listener.accept()\nout = open(sys.argv[1], 'wb')\nwhile piece := connection.recv(1 << 16):\n    out.write(piece)\n")
    with Link("--rate", "50mbit", "--delay", "2ms", "--loss", "1%", "--duplicate", "1%", "--reorder", "1%", "--corrupt", "0.5%", "--seed", "3") as link:
        receiver = subprocess.Popen(["nsenter", "-t", str(link.other.pid), "-n", sys.executable, "-c", script, str(received)], stdout=subprocess.PIPE)
        receiver.stdout.readline()
        with open(original, "rb") as file:
            run(sys.executable, "-c", "import socket, sys\nto = socket.create_connection(('10.8.0.2', 5001))\nto.sendall(sys.stdin.buffer.read())\n", stdin=file)
        wait_until(lambda: receiver.poll() is not None, "the end of the stream", timeout=40)
    check_same(received, original)


@test()
def works_without_names_in_a_private_network():
    shown = run(TRANSOM, "link", "--rate", "10mbit", "--", "ip", "-br", "link")
    check("left" in shown and "right" in shown, shown)
    check("left" not in run("ip", "-br", "link"), "the network of the machine was touched")


@test()
def says_what_is_wrong():
    for words, expected in [(["left"], "two ends"), (["--rate", "fast"], "--rate: 'fast' is not understood; write it like 100mbit"),
                            (["--loss", "often"], "bad loss 'often'"), (["--queue", "lifo"], "lifo"), (["left", "left"], "choose another"),
                            (["left", "lo"], "lo")]:
        shown = run(TRANSOM, "link", *words, "--", "true", expect=None)
        check(expected in shown and shown.count("transom: ") == 1, f"{words}: {shown}")
