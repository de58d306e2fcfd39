"""CPython's own tests of sockets, as the distribution has them, on the stack. What fails there must fail on the kernel too."""

import re
import subprocess
import tempfile

from harness import TRANSOM, Skipped, check, run, test

PYTHON = "/usr/bin/python3"

# What cannot pass, and why (docs/run.md tells it, too).
CANNOT = [
    "*VSOCK*",    # not a protocol of the internet; hangs on many kernels as well
    "*UDPLITE*",  # UDP-Lite (RFC 3828) is not in the stack
    # Counts the events of an edge-triggered epoll: there are more of EPOLLOUT here (docs/run.md).
    "*TestEPoll.test_control_and_wait",
    "*PollTests.test_poll2",  # of pipes alone, and takes ten seconds
]


def python_tests(*names, only=(), without=()):
    """The command that runs these tests."""
    command = [PYTHON, "-m", "test", "-v"]
    for pattern in [*CANNOT, *without]:
        command += ["-i", pattern]
    for pattern in only:
        command += ["-m", pattern]
    return command + list(names)


def on_stack(*names, only=(), without=(), timeout=60):
    """The tests that fail, as patterns; their output."""
    with tempfile.TemporaryDirectory() as directory:  # of this test alone, and with a short name, for sockets are made in it
        output = run(TRANSOM, "run", "--", *python_tests(*names, only=only, without=without), expect=None, timeout=timeout,
                     environment={"TMPDIR": directory})
    failed = set()
    for method, where in re.findall(r"^(?:FAIL|ERROR): (\w+) \(([\w.]+)\)", output, re.MULTILINE):
        words = where.removesuffix("." + method).split(".")
        failed.add(f"*{words[-1]}.{method}")
    check(failed or "Tests result: SUCCESS" in output, "they did not come to an end")
    return failed


def pass_on_stack(*names, timeout=60, without=()):
    if subprocess.run([PYTHON, "-c", "import test.test_socket"], capture_output=True, check=False).returncode != 0:
        raise Skipped("CPython's tests are not installed (libpython3.11-testsuite or the like)")
    failed = on_stack(*names, without=without, timeout=timeout)
    # Some take it for granted that what is written over loopback can be read when write() returns. Here that is a moment later, and on a
    # busy machine the moment is long: what fails has more attempts.
    for _ in range(3):
        if failed:
            failed = on_stack(*names, only=failed)
    for pattern in failed:
        on_kernel = run(*python_tests(*names, only=[pattern]), expect=None)
        check("Tests result: SUCCESS" not in on_kernel, f"{pattern} fails on the stack and passes on the kernel")


@test(timeout=60)
def select_poll_and_epoll():
    pass_on_stack("test_select", "test_poll", "test_epoll")


@test(timeout=90)
def selectors():
    pass_on_stack("test_selectors", timeout=80)


@test(timeout=120)
def sockets():
    pass_on_stack("test_socket", timeout=110)


@test(timeout=120)
def asyncio_on_sockets():
    pass_on_stack("test_asyncio.test_sock_lowlevel", "test_asyncio.test_server", "test_asyncio.test_streams", timeout=110)


@test(timeout=600, minutes=True)
def asyncio_all():
    pass_on_stack("test_asyncio", timeout=590)
