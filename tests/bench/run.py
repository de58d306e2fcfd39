#!/usr/bin/env python3
"""Measures Transom over a TAP device beside kernel-to-kernel TCP over veth, interleaved in one run.

Machines are shared and noisy: only the ratios within a run count. Needs root (it makes network namespaces) and the
release build. Prints a Markdown table; --json FILE keeps every figure.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / "release" / "bin"
PREFIX = f"tb{os.getpid()}"

# The kernel's side always runs kernel_peer; the other side is Transom's services, or kernel_peer serving.
WORK = [
    ("bulk, Transom or server sends", "sink", 19, "gbit_per_s"),
    ("bulk, Transom or server receives", "source", 9, "gbit_per_s"),
    ("request/response, 1 octet", "request", 7, "requests_per_s"),
]


def run(*command, **kwargs):
    return subprocess.run([str(part) for part in command], check=True, text=True, capture_output=True, **kwargs).stdout


class Side:
    """A network namespace with something to connect to."""

    def __init__(self, name):
        self.namespace = f"{PREFIX}-{name}"
        self.process = None
        run("ip", "netns", "add", self.namespace)
        self.inside("ip", "link", "set", "lo", "up")

    def inside(self, *command):
        return run("ip", "netns", "exec", self.namespace, *command)

    def start(self, *command, until):
        self.process = subprocess.Popen(["ip", "netns", "exec", self.namespace, *map(str, command)],
                                        stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if until in line:
                return
        sys.exit(f"{command[0]} ended before it was ready")

    def close(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
        subprocess.run(["ip", "netns", "delete", self.namespace], check=False)


def veth_pair():
    client, server = Side("client"), Side("server")
    run("ip", "link", "add", "veth0", "netns", client.namespace, "type", "veth", "peer", "name", "veth1", "netns", server.namespace)
    for side, device, address in ((client, "veth0", 1), (server, "veth1", 2)):
        side.inside("ip", "addr", "add", f"10.8.0.{address}/24", "dev", device)
        side.inside("ip", "addr", "add", f"fd08::{address}/64", "dev", device, "nodad")
        side.inside("ip", "link", "set", device, "up")
    server.start(BIN / "kernel_peer", "serve", until="ready")
    return client, server, {4: "10.8.0.2", 6: "fd08::2"}


def transom_host():
    side = Side("tap")
    side.start(BIN / "transom", "up", "--tap", "tap0", "--ip", "10.9.0.2/24", "--ip", "fd09::2/64", "--kernel-ip", "10.9.0.1/24",
               "--kernel-ip", "fd09::1/64", "--serve", "discard=9", "--serve", "chargen=19", "--serve", "echo=7", until="ready")
    return side, {4: "10.9.0.2", 6: "fd09::2"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--kernel-congestion-control", default="cubic", help="of the kernel's TCP (cubic)")
    arguments = parser.parse_args()
    os.environ["KERNEL_PEER_CONGESTION_CONTROL"] = arguments.kernel_congestion_control
    if os.geteuid() != 0:
        sys.exit("run.py: needs root to make network namespaces; try: sudo tests/bench/run.py")
    sides = []
    figures = {}
    try:
        client, server, kernel_addresses = veth_pair()
        sides += [client, server]
        tap, transom_addresses = transom_host()
        sides.append(tap)
        for _ in range(arguments.rounds):
            for family in (4, 6):
                for title, mode, port, key in WORK:
                    for who, side, address in (("kernel", client, kernel_addresses[family]), ("transom", tap, transom_addresses[family])):
                        line = side.inside(BIN / "kernel_peer", mode, address, port, arguments.seconds)
                        figures.setdefault((title, family, key), {}).setdefault(who, []).append(json.loads(line)[key])
    finally:
        for side in sides:
            side.close()
    print("| work | family | Transom over TAP, median (min–max) | kernel over veth, median (min–max) | ratio |")
    print("| --- | --- | --- | --- | --- |")
    for (title, family, key), by in figures.items():
        unit = key.replace("_per_", "/").replace("gbit", "Gbit")
        cell = {who: f"{statistics.median(v):.4g} ({min(v):.4g}–{max(v):.4g}) {unit}" for who, v in by.items()}
        ratio = statistics.median(a / b for a, b in zip(by["transom"], by["kernel"]))
        print(f"| {title} | IPv{family} | {cell['transom']} | {cell['kernel']} | {ratio:.2f} |")
    if arguments.json:
        arguments.json.write_text(json.dumps([{"work": t, "family": f, "unit": k, **by} for (t, f, k), by in figures.items()], indent=2))


if __name__ == "__main__":
    main()
