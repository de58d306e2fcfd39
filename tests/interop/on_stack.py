"""What the tests of `transom run` share."""

import os
import pathlib
import socket
import sys

from harness import HOSTS, TRANSOM, Program, run, wait_for_kernel_listener, wait_until, work

MIB = 1 << 20
DEVICE = ["--tap", "tap0", "--ip", "10.9.0.2/24", "--ip", "fd09::2/64"]
LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def on_stack(*command, device=True, flags=()):
    """The command line that runs `command` on the stack."""
    return [str(TRANSOM), "run", "--name", "host"] + (DEVICE if device else []) + [str(flag) for flag in flags] + ["--"] + \
        [str(word) for word in command]


def answers(address, port):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


class Server:
    """A server on the stack, with the kernel as its client: ready when it can be connected to."""

    def __init__(self, *command, port, flags=()):
        self.program = Program(*on_stack(*command, flags=flags))
        self.port = port

    def __enter__(self):
        self.program.__enter__()
        wait_until(lambda: answers(HOSTS[4], self.port), f"{self.program.words} answering on port {self.port}")
        return self

    def __exit__(self, *arguments):
        self.program.process.terminate()
        self.program.process.wait(10)


def script(text, flags=()):
    """A shell script on the stack's loopback, of which every line must succeed; returns its output."""
    path = work() / "script.sh"
    path.write_text("set -eu\n" + WAIT_FOR + text)
    return run(*on_stack("bash", path, device=False, flags=flags))


# Within a script: until something listens there.
WAIT_FOR = """
wait_for() { for i in $(seq 100); do if (exec 3<>/dev/tcp/$1/$2) 2>/dev/null; then return 0; fi; sleep 0.05; done; echo "nothing listens on $1 $2"; exit 1; }
"""


class KernelWeb:
    """python3 -m http.server of the kernel's side."""

    def __init__(self, directory):
        self.program = Program(sys.executable, "-m", "http.server", "--bind", "::", "--directory", directory, "8000")

    def __enter__(self):
        self.program.__enter__()
        wait_for_kernel_listener(8000)
        return self

    def __exit__(self, *arguments):
        self.program.__exit__(*arguments)


def control_sockets():
    """Where the hosts of this test have them."""
    return pathlib.Path(os.environ["XDG_RUNTIME_DIR"])


def processes_of(command):
    """The processes whose command line is this; `transom run` has more in front of it."""
    words = command.replace(" ", "\0") + "\0"
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if (entry / "cmdline").read_bytes().decode(errors="replace") == words:
                    found.append(int(entry.name))
            except OSError:
                pass
    return found
