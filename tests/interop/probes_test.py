"""The probes of tests/probes: the stack's sockets beside the kernel's."""

import sys

from harness import ROOT, run, test


@test(timeout=120)
def sockets_differ_from_the_kernel_as_documented():
    run(sys.executable, ROOT / "tests" / "probes" / "compare.py", timeout=110)
