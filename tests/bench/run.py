#!/usr/bin/env python3
"""Measures Transom over a TAP device beside the limit of that device, the kernel over veth, and other stacks in user space.

    tests/bench/run.py [-k RE] [--rounds N] [--seconds S] [--json FILE]

All that is compared runs in turn within each round, so only RATIOS within a run count: machines are shared and noisy. A ratio is the
median over the rounds of Transom's figure by the other's (of latencies the other way round: above 1 is better for Transom everywhere).
Needs root (it makes network namespaces) and the release build; peers that are not installed are left out with a notice. The kernel's own
program (kernel_peer) is the client in every work; the columns differ in who serves it:

  limit       a program that writes ready-made frames to the TAP device, and copies the text as a stack must (blaster)
  no copy     the same without the copy
  cubic, reno the kernel, over a veth pair, sending with that congestion control
  lwip, gvisor  those stacks, on a TAP device as Transom
  copying     Transom's ordinary calls, beside those that do not copy (zero_copy_peer), which the rows "zero copy" are of
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / "release" / "bin"
PREFIX = f"tb{os.getpid()}"
NO_OFFLOAD = ["tso", "off", "gso", "off", "gro", "off", "tx", "off", "rx", "off"]


def run(*command, **kwargs):
    return subprocess.run([str(part) for part in command], check=True, text=True, capture_output=True, **kwargs).stdout


class Side:
    """A network namespace with a program in it that serves."""

    def __init__(self, name):
        self.namespace = f"{PREFIX}-{name}"
        self.processes = []
        run("ip", "netns", "add", self.namespace)
        self.inside("ip", "link", "set", "lo", "up")

    def inside(self, *command, core=None):
        placed = ["taskset", "-c", str(core)] if core is not None else []
        return run("ip", "netns", "exec", self.namespace, *placed, *command)

    def start(self, *command, until="ready", environment=None):
        process = subprocess.Popen(["ip", "netns", "exec", self.namespace, *map(str, command)], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True, env={**os.environ, **(environment or {})})
        self.processes.append(process)
        for line in process.stdout:
            if until in line:
                return process
        sys.exit(f"{command[0]} ended before it was ready")

    def configure(self, device, address):
        self.inside("ip", "addr", "add", f"{address}/24", "dev", device)
        self.inside("ip", "link", "set", device, "up")

    def close(self):
        for process in self.processes:
            process.terminate()
            process.wait(10)
        subprocess.run(["ip", "netns", "delete", self.namespace], check=False)


class Contestant:
    """Who serves: the namespace that the client runs in, an address for each family, and the process that serves."""

    def __init__(self, name, client, addresses, process, sides):
        self.name, self.client, self.addresses, self.process, self.sides = name, client, addresses, process, sides

    def place(self, core):
        """Puts the server on a core; None: on any."""
        cores = str(core) if core is not None else f"0-{os.cpu_count() - 1}"
        run("taskset", "-a", "-p", "-c", cores, self.process.pid)


def kernel(name, congestion_control, offload=True):
    client, server = Side(f"{name}-c"), Side(f"{name}-s")
    run("ip", "link", "add", "veth0", "netns", client.namespace, "type", "veth", "peer", "name", "veth1", "netns", server.namespace)
    for side, device, host in ((client, "veth0", 1), (server, "veth1", 2)):
        if not offload:
            side.inside("ethtool", "-K", device, *NO_OFFLOAD)
        side.inside("ip", "addr", "add", f"fd08::{host}/64", "dev", device, "nodad")
        side.configure(device, f"10.8.0.{host}")
    process = server.start(BIN / "kernel_peer", "serve", environment={"KERNEL_PEER_CONGESTION_CONTROL": congestion_control})
    return Contestant(name, client, {4: "10.8.0.2", 6: "fd08::2"}, process, [client, server])


def transom(name, *flags):
    side = Side(name)
    process = side.start(BIN / "transom", "up", "--tap", "tap0", "--ip", "10.9.0.2/24", "--ip", "fd09::2/64", "--kernel-ip", "10.9.0.1/24",
                         "--kernel-ip", "fd09::1/64", "--serve", "discard=9", "--serve", "chargen=19", "--serve", "echo=7", *flags)
    return Contestant(name, side, {4: "10.9.0.2", 6: "fd09::2"}, process, [side])


def zero_copy(name):
    side = Side(name)
    return Contestant(name, side, {4: "10.9.4.2", 6: "fd09:4::2"}, side.start(BIN / "zero_copy_peer", "tap0"), [side])


def blaster(name, *arguments):
    side = Side(name)
    mode, *rest = arguments
    process = side.start(BIN / "blaster", mode, "tap0", *rest)
    side.configure("tap0", "10.9.1.1")
    side.inside("ip", "neigh", "add", "10.9.1.2", "lladdr", "02:00:00:00:00:02", "dev", "tap0", "nud", "permanent")
    return Contestant(name, side, {4: "10.9.1.2"}, process, [side])


def lwip(name):
    if not (BIN / "lwip_peer").exists():
        return None
    side = Side(name)
    process = side.start(BIN / "lwip_peer", "tap0", "10.9.2.2")
    side.configure("tap0", "10.9.2.1")
    return Contestant(name, side, {4: "10.9.2.2"}, process, [side])


def gvisor(name):
    sources = pathlib.Path("/usr/share/gocode/src/gvisor.dev/gvisor")
    if not sources.exists() or not shutil.which("go"):
        return None
    program = BIN / "gvisor_peer"
    if not program.exists():
        run("go", "build", "-o", program, ".", cwd=ROOT / "tests" / "bench" / "gvisor_peer",
            env={**os.environ, "GOPATH": "/usr/share/gocode", "GO111MODULE": "off"})
    side = Side(name)
    side.inside("ip", "tuntap", "add", "dev", "tap0", "mode", "tap")
    side.configure("tap0", "10.9.3.1")
    process = side.start(program, "tap0", "10.9.3.2")
    return Contestant(name, side, {4: "10.9.3.2"}, process, [side])


MAKERS = {
    "transom": lambda: transom("transom"),
    "transom-plain": lambda: transom("transom-plain", "--no-offload"),
    "zero-copy": lambda: zero_copy("zero-copy"),
    "cubic": lambda: kernel("cubic", "cubic"),
    "reno": lambda: kernel("reno", "reno"),
    "cubic-plain": lambda: kernel("cubic-plain", "cubic", offload=False),
    "reno-plain": lambda: kernel("reno-plain", "reno", offload=False),
    "tx-copy": lambda: blaster("tx-copy", "tx", 64240, 1, 1),
    "tx": lambda: blaster("tx", "tx", 64240, 0, 1),
    "tx-plain": lambda: blaster("tx-plain", "tx", 1460, 1, 0),
    "rx-copy": lambda: blaster("rx-copy", "rx", 64240, 1, 1),
    "rx": lambda: blaster("rx", "rx", 64240, 0, 1),
    "rx-plain": lambda: blaster("rx-plain", "rx", 1460, 1, 0),
    "pong": lambda: blaster("pong", "pong", "block"),
    "lwip": lambda: lwip("lwip"),
    "gvisor": lambda: gvisor("gvisor"),
}


class Work:
    def __init__(self, title, mode, port, key, who, arguments=(), families=(4,), core=None, environment=None):
        self.title, self.mode, self.port, self.key, self.who = title, mode, port, key, who
        self.arguments, self.families, self.core, self.environment = arguments, families, core, environment or {}

    def measure(self, contestant, family, seconds):
        if self.core is not None:
            contestant.place(self.core)
        mode = "ping" if contestant.name == "pong" else self.mode
        try:
            line = contestant.client.inside("env", *[f"{k}={v}" for k, v in self.environment.items()], BIN / "kernel_peer", mode,
                                            contestant.addresses[family], self.port, seconds, *self.arguments, core=self.core)
        except subprocess.CalledProcessError as error:
            print(f"{self.title}, {contestant.name}: {error.stderr.strip()}", file=sys.stderr)
            return None
        finally:
            if self.core is not None:
                contestant.place(None)
        return json.loads(line)[self.key]


PEERS = {"cubic": "cubic", "lwip": "lwip", "gvisor": "gvisor"}
RENO = {"KERNEL_PEER_CONGESTION_CONTROL": "reno"}
BULK = "gbit_per_s"
# `who`: the column, and who is in it. "transom" is what the others are held against.
WORK = [
    Work("bulk, server sends", "sink", 19, BULK, {"transom": "transom", "limit": "tx-copy", "no copy": "tx", "reno": "reno", **PEERS}, families=(4, 6)),
    Work("bulk, server receives, client CUBIC", "source", 9, BULK, {"transom": "transom", "limit": "rx-copy", "no copy": "rx", **PEERS}, families=(4, 6)),
    Work("bulk, server receives, client Reno", "source", 9, BULK, {"transom": "transom", "limit": "rx-copy", "no copy": "rx", "reno": "reno"},
         environment=RENO),
    Work("bulk, zero copy, server sends", "sink", 19, BULK,
         {"transom": "zero-copy", "copying": "transom", "no copy": "tx", "cubic": "cubic", "reno": "reno"}, families=(4, 6)),
    Work("bulk, zero copy, server receives, client Reno", "source", 9, BULK,
         {"transom": "zero-copy", "copying": "transom", "no copy": "rx", "reno": "reno"}, families=(4, 6), environment=RENO),
    Work("bulk, MTU 1500 without offload, server sends", "sink", 19, BULK,
         {"transom": "transom-plain", "limit": "tx-plain", "cubic": "cubic-plain", "reno": "reno-plain", "lwip": "lwip", "gvisor": "gvisor"}),
    Work("bulk, MTU 1500 without offload, server receives", "source", 9, BULK,
         {"transom": "transom-plain", "limit": "rx-plain", "cubic": "cubic-plain", "lwip": "lwip", "gvisor": "gvisor"}),
    Work("bulk, 10 connections, server sends", "sink", 19, BULK, {"transom": "transom", **PEERS}, (10,)),
    Work("bulk, 100 connections, server sends", "sink", 19, BULK, {"transom": "transom", **PEERS}, (100,)),
    Work("bulk, 10 connections, server receives", "source", 9, BULK, {"transom": "transom", **PEERS}, (10,)),
    Work("bulk, 100 connections, server receives", "source", 9, BULK, {"transom": "transom", **PEERS}, (100,)),
    Work("writes of 1 KiB, server receives", "source", 9, BULK, {"transom": "transom", **PEERS}, (1, 1024)),
    Work("writes of 64 octets, server receives", "source", 9, BULK, {"transom": "transom", **PEERS}, (1, 64)),
    *[Work(f"request/response, 1 octet, {place}, {what}", "request", 7, key, {"transom": "transom", "limit": "pong", **PEERS}, core=core,
           families=families)
      for place, core in (("one core", 0), ("free cores", None))
      for what, key, families in (("p50", "p50_us", (4, 6)), ("p99", "p99_us", (4,)), ("p99.9", "p999_us", (4,)))],
    Work("connections, 1 at a time", "connect", 9, "connections_per_s", {"transom": "transom", **PEERS}, families=(4, 6)),
    Work("connections, 64 at a time", "connect", 9, "connections_per_s", {"transom": "transom", **PEERS}, (64,), families=(4, 6)),
    Work("UDP datagrams echoed, 64 in flight", "datagrams", 7, "datagrams_per_s", {"transom": "transom", **PEERS}, (64,), families=(4, 6)),
]
COLUMNS = ["limit", "no copy", "cubic", "reno", "lwip", "gvisor", "copying"]
UNITS = {BULK: "Gbit/s", "p50_us": "µs", "p99_us": "µs", "p999_us": "µs", "connections_per_s": "/s", "datagrams_per_s": "/s"}


def is_latency(key):
    return key.endswith("_us")


def row(work, family, figures):
    """The Markdown row of one work: Transom's median, and the ratio to each other column with that one's median."""
    own = figures.get("transom", [])
    if not own:
        return None
    cells = [f"{work.title}, IPv{family}", f"{statistics.median(own):.4g} ({min(own):.4g}–{max(own):.4g}) {UNITS[work.key]}"]
    for column in COLUMNS:
        other = figures.get(column, [])
        pairs = [(b / a if is_latency(work.key) else a / b) for a, b in zip(own, other) if a and b]
        cells.append(f"**{statistics.median(pairs):.2f}** ({statistics.median(other):.4g})" if pairs else "")
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", metavar="RE", default=".", help="only the work whose title matches")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--json", type=pathlib.Path, help="keeps every figure")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("run.py: needs root to make network namespaces; try: sudo tests/bench/run.py")
    work = [w for w in WORK if re.search(arguments.k, w.title)]
    if not work:
        sys.exit("run.py: no work has such a title; they are:\n" + "\n".join("  " + w.title for w in WORK))
    contestants, figures = {}, {}
    try:
        for name in dict.fromkeys(name for w in work for name in w.who.values()):
            contestants[name] = MAKERS[name]()
            if contestants[name] is None:
                print(f"{name} is left out: it is not installed (see tests/install_packages.sh)", file=sys.stderr)
        for number in range(arguments.rounds):
            for w in work:
                for family in w.families:
                    for column, name in w.who.items():
                        contestant = contestants[name]
                        if contestant is None or family not in contestant.addresses:
                            continue
                        if sys.stderr.isatty():
                            print(f"\r\033[Kround {number + 1} of {arguments.rounds}: {w.title}, {name}", end="", file=sys.stderr)
                        value = w.measure(contestant, family, arguments.seconds)
                        figures.setdefault((w.title, family), {}).setdefault(column, []).append(value or 0)
    finally:
        for contestant in contestants.values():
            for side in contestant.sides if contestant else []:
                side.close()
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print("| work | Transom, median (min–max) | " + " | ".join(COLUMNS) + " |")
    print("| --- | --- |" + " --- |" * len(COLUMNS))
    for w in work:
        for family in w.families:
            if line := row(w, family, figures.get((w.title, family), {})):
                print(line)
    if arguments.json:
        arguments.json.write_text(json.dumps([{"work": t, "family": f, **by} for (t, f), by in figures.items()], indent=2))


if __name__ == "__main__":
    main()
