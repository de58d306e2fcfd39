"""The collection in captures/: complete, readable by others, and made again by one command."""

import subprocess
import sys

from harness import ROOT, check, run, test, work

MAKE = ROOT / "captures" / "make.py"
# Their last block is cut on purpose.
CUT = {"capture-truncated-file"}


def inputs():
    found = sorted(path for path in (ROOT / "captures").glob("*/input.*") if path.parent.name not in CUT)
    check(len(found) >= 60, f"only {len(found)} captures")
    return found


@test()
def every_case_has_its_files_and_texts():
    run(sys.executable, MAKE, "--check")


@test()
def capinfos_reads_every_capture():
    shown = run("capinfos", "-T", "-m", "-c", "-Q", *inputs())
    rows = [line for line in shown.splitlines() if "input." in line]
    check(len(rows) == len(inputs()), f"{len(rows)} of {len(inputs())} were read: {shown[-500:]}")


@test()
def tshark_dissects_every_capture():
    """In one run, as starting it takes longer than a capture does; the frames of all cases one after the other."""
    plain = work() / "merged.pcapng"  # not *.pcap, which the harness would look at: attacks are malformed on purpose
    run("mergecap", "-a", "-w", plain, *inputs())
    frames = subprocess.run(["tshark", "-n", "-r", str(plain), "-T", "fields", "-e", "frame.protocols"], capture_output=True, text=True, check=True).stdout.splitlines()
    counted = sum(int(line.split(",")[-1]) for line in
                  subprocess.run(["capinfos", "-T", "-m", "-c", "-r", "-M", *map(str, inputs())], capture_output=True, text=True, check=True).stdout.splitlines())
    check(len(frames) == counted, f"{len(frames)} frames of {counted}")
    undissected = [number for number, line in enumerate(frames, 1) if line in ("", "frame")]
    check(not undissected, f"frames that nothing is known of: {undissected[:5]}")


@test(timeout=60)
def cases_are_made_again_by_one_command():
    shown = run(sys.executable, MAKE, "tcp-handshake-ipv6", "tcp-loss-sack", "icmp-time-exceeded", "attack-scans", "--to", work() / "again")
    check("4 made, 0 failed" in shown, shown)
    made = work() / "again" / "tcp-loss-sack"
    check("Segments 3, 5 and 7" in (made / "README.md").read_text(encoding="utf-8"), "no README")
    shown = run("tshark", "-n", "-r", made / "input.pcapng", "-Y", "tcp.options.sack_le", "-T", "fields", "-e", "tcp.options.sack.count")
    check("3" in shown.split(), f"no ACK with three SACK blocks: {shown}")
    shown = run(sys.executable, MAKE, "no-such-case", expect=2)
    check("no such case" in shown, shown)
