"""Captures of what the kernel's programs say to each other."""

import os
import time

from harness import Program, run, wait_until, work

NEAR = {4: "10.1.0.1", 6: "fd01::1"}
FAR = {4: "10.1.0.2", 6: "fd01::2"}
SPACE = f"far{os.urandom(4).hex()}"  # names of namespaces are those of the machine
IN_FAR = ("ip", "netns", "exec", SPACE)


def record(converse):
    """What passes while `converse` is called, on a pair of devices between this namespace and another one, seen at this end."""
    capture = work() / "recorded.pcap"
    run("ip", "netns", "add", SPACE)
    try:
        run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", SPACE)
        for family, length in ((4, 24), (6, 64)):
            flags = ["nodad"] if family == 6 else []
            run("ip", "address", "add", f"{NEAR[family]}/{length}", "dev", "near", *flags)
            run("ip", "-n", SPACE, "address", "add", f"{FAR[family]}/{length}", "dev", "far", *flags)
        run("ip", "link", "set", "near", "up")
        run("ip", "-n", SPACE, "link", "set", "far", "up")
        run("ip", "-n", SPACE, "link", "set", "lo", "up")
        # Checksums are to be in the packets.
        run("ethtool", "-K", "near", "tx", "off", "rx", "off")
        run(*IN_FAR, "ethtool", "-K", "far", "tx", "off", "rx", "off")
        with Program("tcpdump", "--immediate-mode", "-B", 32768, "-s", 2000, "-i", "near", "-U", "-w", capture) as dump:
            wait_until(lambda: capture.exists() and capture.stat().st_size > 0, "tcpdump")
            converse()
            time.sleep(0.3)  # the last packets
            dump.process.terminate()
            dump.process.wait(10)
    finally:
        run("ip", "link", "delete", "near", expect=None)
        run("ip", "netns", "delete", SPACE, expect=None)
    return capture
