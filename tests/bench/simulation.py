#!/usr/bin/env python3
"""Measures how many data packets a second the simulated network carries on one core: bulk flows over one link, in the release build.
Counts the processor's time of the process, not the time of the wall, so that others on the machine matter less. Prints a Markdown table."""

import json
import pathlib
import resource
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TRANSOM = ROOT / "build" / "release" / "bin" / "transom"
WORK = [
    ("a link with delay alone: bursts arrive whole", 'delay = "5ms", queue = "pfifo limit 100000"', 6),
    ("a link of 10 Gbit/s: each packet arrives alone", 'rate = "10gbit", delay = "1ms", queue = "pfifo limit 10000"', 1),
    ("the same, 1 % lost", 'rate = "10gbit", delay = "50us", queue = "pfifo limit 10000", loss = "1%"', 6),
]


def measure(link, seconds):
    """Data packets, and seconds of the processor."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as scenario:
        scenario.write(f'duration = "{seconds}s"\nsample = "100ms"\n[topology]\nkind = "pair"\nlink = {{ {link} }}\n[[flow]]\nfrom = "a"\nto = "b"\n'
                       'send_buffer = "2mb"\nreceive_buffer = "2mb"\n')
        scenario.flush()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        shown = subprocess.run([TRANSOM, "sim", "--json", "-q", scenario.name], check=True, capture_output=True, text=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    forth = next(link for link in json.loads(shown)["links"] if link["name"] == "a>b")
    return forth["sent_packets"], after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    print("| simulated bulk flow | data packets | processor | data packets per second |")
    print("| --- | ---: | ---: | ---: |")
    for title, link, seconds in WORK:
        packets, took = min((measure(link, seconds) for _ in range(3)), key=lambda pair: pair[1])
        print(f"| {title} | {packets} | {took:.2f} s | {packets / took / 1e6:.2f} million |")


if __name__ == "__main__":
    main()
