#!/usr/bin/env python3
"""Holds the kernel's TCP beside ours: the same bottleneck, once as an emulated link between two network namespaces of this machine, in
real time, once in the simulated network. Writes the tables and pictures of docs/validation.md.

    tests/validation/side_by_side.py [--seconds N] [--write] [NAME...]

NAME is a congestion control that both have; without one, all of reno, cubic and bbr that this kernel has. It takes as long as it
measures, so that it is not one of the tests. No root is needed where user namespaces are open to all. TRANSOM_BUILD: where the command
`transom` is (build/release)."""

import argparse
import csv
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TRANSOM = pathlib.Path(os.environ.get("TRANSOM_BUILD", ROOT / "build" / "release")) / "bin" / "transom"
DOCUMENT = ROOT / "docs" / "validation.md"
PICTURES = ROOT / "docs" / "validation"
BEGIN, END = "<!-- side by side: begin -->\n", "<!-- side by side: end -->\n"

RATE, DELAY, QUEUE = "20mbit", "20ms", "pfifo limit 100"
INTERVAL = 0.1  # seconds between samples
MSS = 1448


def run_ours(name, seconds):
    """Samples (time, cwnd in segments, octets delivered) of a flow in the simulated network."""
    with tempfile.TemporaryDirectory() as directory:
        scenario, table = pathlib.Path(directory, "scenario.toml"), pathlib.Path(directory, "samples.csv")
        scenario.write_text(f'duration = "{seconds}s"\nsample = "{INTERVAL * 1000:g}ms"\n[topology]\nkind = "pair"\n'
                            f'link = {{ rate = "{RATE}", delay = "{DELAY}", queue = "{QUEUE}", type = "ethernet" }}\n'
                            f'[[flow]]\nfrom = "a"\nto = "b"\ncongestion_control = "{name}"\n')
        subprocess.run([TRANSOM, "sim", "-q", "--csv", table, scenario], check=True, stdout=subprocess.DEVNULL)
        with open(table, encoding="utf-8") as file:
            return [(float(row["time_s"]), int(row["cwnd_octets"]) / MSS, int(row["delivered_octets"])) for row in csv.DictReader(file)]


def swallow(listener):
    connection, _ = listener.accept()
    while connection.recv(1 << 20):
        pass


def send_with_the_kernel(name, seconds):
    """Runs in the first namespace. The listener lives in the second one: `right` has moved there."""
    connection = socket.socket()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
    connection.connect(("10.8.0.2", 5001))
    stop = threading.Event()

    def pour():
        block = bytes(1 << 16)
        while not stop.is_set():
            connection.sendall(block)
    threading.Thread(target=pour, daemon=True).start()
    samples = []
    begin = time.monotonic()
    while (now := time.monotonic() - begin) < seconds:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
        samples.append((now, struct.unpack_from("I", info, 80)[0], struct.unpack_from("Q", info, 120)[0]))  # snd_cwnd, bytes_acked
        time.sleep(max(0, len(samples) * INTERVAL - (time.monotonic() - begin)))
    for sample in samples:
        print(*sample)
    sys.stdout.flush()
    os._exit(0)  # what is queued is of no interest


def run_kernel(name, seconds):
    """Samples of the kernel's TCP. Runs in a network namespace of its own, with a second one for the other end of the link."""
    link = subprocess.Popen([TRANSOM, "link", "left", "right", "--rate", RATE, "--delay", DELAY, "--queue", QUEUE],
                            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    other = None
    try:
        for line in link.stderr:
            if line.startswith("ready"):
                break
        other = subprocess.Popen(["unshare", "--net", sys.executable, __file__, "--sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        other.stdout.readline()  # it is in its namespace
        subprocess.run(["ip", "link", "set", "right", "netns", str(other.pid)], check=True)
        subprocess.run(["ip", "address", "add", "10.8.0.1/24", "dev", "left"], check=True)
        other.stdin.write("go\n")
        other.stdin.flush()
        other.stdout.readline()  # it listens
        shown = subprocess.run([sys.executable, __file__, "--source", name, "--seconds", str(seconds)], check=True, capture_output=True, text=True)
    finally:
        if other is not None:
            other.kill()
            other.wait()
        link.terminate()
        link.wait()
    return [(float(moment), float(cwnd), int(octets)) for moment, cwnd, octets in (line.split() for line in shown.stdout.splitlines())]


def sink():
    print("here", flush=True)
    sys.stdin.readline()
    for words in ("address add 10.8.0.2/24 dev right", "link set right up"):
        subprocess.run(["ip"] + words.split(), check=True)
    listener = socket.create_server(("10.8.0.2", 5001))
    print("listening", flush=True)
    swallow(listener)


def at(samples, moment):
    return min(samples, key=lambda sample: abs(sample[0] - moment))


def mean_window(samples, begin, end):
    windows = [cwnd for moment, cwnd, _ in samples if begin <= moment < end]
    return sum(windows) / max(len(windows), 1)


def table(name, kernel, ours, seconds):
    lines = [f"**{name}**\n", f"![windows of {name}](validation/{name}.svg)\n",
             "| seconds | mean window: kernel | ours | Mbit/s: kernel | ours |", "| --- | ---: | ---: | ---: | ---: |"]
    step = max(seconds // 5, 1)
    for begin in range(0, seconds, step):
        end = min(begin + step, seconds)
        rates = [(at(samples, end)[2] - at(samples, begin)[2]) * 8e-6 / (end - begin) for samples in (kernel, ours)]
        lines.append(f"| {begin}–{end} | {mean_window(kernel, begin, end):.0f} | {mean_window(ours, begin, end):.0f} | {rates[0]:.1f} | {rates[1]:.1f} |")
    return "\n".join(lines) + "\n"


def picture(kernel, ours, seconds):
    width, height, margin = 720, 240, 36
    top = max(cwnd for samples in (kernel, ours) for _, cwnd, _ in samples) * 1.05

    def line(samples, colour):
        points = " ".join(f"{margin + moment / seconds * (width - 2 * margin):.0f},{height - margin - cwnd / top * (height - 2 * margin):.0f}"
                          for moment, cwnd, _ in samples if moment <= seconds)
        return f'<polyline fill="none" stroke="{colour}" points="{points}"/>'
    axes = f'<path fill="none" stroke="#888" d="M{margin},{margin}V{height - margin}H{width - margin}"/>'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">'
            f'<rect width="100%" height="100%" fill="#fff"/>{axes}{line(kernel, "#c60")}{line(ours, "#06c")}'
            f'<text x="{margin}" y="24">cwnd, segments (top of the axis: {top:.0f})</text><text x="{width - 150}" y="24" fill="#c60">kernel</text>'
            f'<text x="{width - 90}" y="24" fill="#06c">Transom</text><text x="{width - margin - 40}" y="{height - 12}">{seconds} s</text></svg>\n')


def available():
    return pathlib.Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text(encoding="utf-8").split()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*")
    parser.add_argument("--seconds", type=int, default=25, help="of each run (25)")
    parser.add_argument("--write", action="store_true", help="write docs/validation.md and its pictures")
    parser.add_argument("--sink", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--source", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.sink:
        return sink()
    if arguments.source:
        return send_with_the_kernel(arguments.source, arguments.seconds)
    if "SIDE_BY_SIDE" not in os.environ:  # into namespaces of our own first
        unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
        os.environ["SIDE_BY_SIDE"] = "yes"
        os.execvp(unshare[0], unshare + [sys.executable, *sys.argv])
    names = arguments.names or [name for name in ("reno", "cubic", "bbr") if name in available()]
    text = f"\nLinux {os.uname().release.split('-')[0]} and Transom, {RATE}, RTT 2 × {DELAY}, {QUEUE}, {arguments.seconds} s.\n"
    for name in names:
        kernel, ours = run_kernel(name, arguments.seconds), run_ours(name, arguments.seconds)
        text += "\n" + table(name, kernel, ours, arguments.seconds)
        if arguments.write:
            PICTURES.mkdir(exist_ok=True)
            (PICTURES / f"{name}.svg").write_text(picture(kernel, ours, arguments.seconds))
    print(text)
    if arguments.write:
        document = DOCUMENT.read_text(encoding="utf-8")
        begin, end = document.index(BEGIN) + len(BEGIN), document.index(END)
        DOCUMENT.write_text(document[:begin] + text + "\n" + document[end:], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
