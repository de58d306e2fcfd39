#!/usr/bin/env python3
"""Measures Transom over a TAP device beside the limit of that device, the kernel over veth, and other stacks in user space.

    tests/bench/run.py [-k RE] [--rounds N] [--seconds S] [--json FILE]

All that is compared runs in turn within each round, so only RATIOS within a run count: machines are shared and noisy. A ratio is the
median over the rounds of Transom's figure by the other's (of what is better when it is smaller, the other way round: above 1 is better for
Transom everywhere). Needs root (it makes network namespaces) and the release build; peers that are not installed are left out with a
notice. The kernel's sockets are the client in every work; the columns differ in who serves:

  limit       a program that writes ready-made frames to the TAP device, and copies the text as a stack must (blaster)
  no copy     the same without the copy
  cubic, reno the kernel, over a veth pair, sending with that congestion control
  lwip, gvisor  those stacks, on a TAP device as Transom
  copying     Transom's ordinary calls, beside those that do not copy (zero_copy_peer), which the rows "zero copy" are of
  native      Transom without `transom run`, which is what is measured
  alone       Transom without the connections that are held
  tap         Transom on a TAP device, beside Transom on one end of a veth pair (packet ring, AF_XDP), which those rows are of
"""

import argparse
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys

from contestants import BIN, DEVICE, MAKERS, SPIN, LeftOut, Side


def busy_seconds():
    """What all processors have worked since the machine started."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    user, nice, system, _idle, _wait, interrupts, soft_interrupts, _stolen = fields
    return (user + nice + system + interrupts + soft_interrupts) / os.sysconf("SC_CLK_TCK")


class Work:
    """What kernel_peer measures: `key` of the line that it prints."""

    def __init__(self, title, mode, port, key, who, arguments=(), families=(4, 6), core=None, environment=None):
        self.title, self.mode, self.port, self.key, self.who = title, mode, port, key, who
        self.arguments, self.families, self.core = arguments, families, core
        self.environment = {"KERNEL_PEER_CONGESTION_CONTROL": "cubic", **(environment or {})}  # what a machine has set differs

    def ask(self, contestant, family, seconds):
        mode = "ping" if contestant.name.startswith("pong") else self.mode
        return json.loads(contestant.client.inside(BIN / "kernel_peer", mode, contestant.addresses[family], self.port, seconds,
                                                   *self.arguments, core=self.core, environment=self.environment))

    def measure(self, contestant, family, seconds):
        if self.core is not None:
            contestant.place(self.core)
        try:
            return self.ask(contestant, family, seconds)[self.key]
        finally:
            if self.core is not None:
                contestant.place(None)


class ProcessorTime(Work):
    """What a work costs both ends together: processor time of the whole machine for each unit that was moved or answered."""

    def __init__(self, title, mode, port, units, who, **others):
        super().__init__(title, mode, port, "cpu_ns", who, **others)
        self.units = units  # of what `done` counts

    def measure(self, contestant, family, seconds):
        before = busy_seconds()
        done = self.ask(contestant, family, seconds)["done"]
        return (busy_seconds() - before) * 1e9 / (done / self.units)


class Held:
    """Connections that are open and idle meanwhile, by processes with some thousand descriptors each. To several ports: with half of a
    port's pairs taken the client's kernel looks for another for milliseconds."""

    PART = 5000
    PORTS = (7, 9, 10, 11)  # those above 9 are Transom's alone

    def __init__(self, contestant, family, count):
        self.processes = [contestant.client.start(BIN / "kernel_peer", "hold", contestant.addresses[family], self.PORTS[i // 5], self.PART,
                                                  stdin=subprocess.PIPE) for i in range(count // self.PART)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.stdin.close()
            process.wait(60)


class AmongHeld(Work):
    def __init__(self, held, *arguments, **others):
        super().__init__(*arguments, **others)
        self.held = held

    def measure(self, contestant, family, seconds):
        if contestant.name == "transom-alone":
            return super().measure(contestant, family, seconds)
        with Held(contestant, family, self.held):
            return super().measure(contestant, family, seconds)


class IdleMemory:
    """Octets of the serving process for each connection that is open and idle. Measured once: what is freed is not given back."""

    key, families = "octets", (4,)

    def __init__(self, count, who):
        self.title, self.count, self.who = f"memory of an idle connection, {count:,} held", count, who
        self.known = {}

    def measure(self, contestant, family, _seconds):
        if contestant.name not in self.known:
            before = contestant.memory()
            with Held(contestant, family, self.count):
                self.known[contestant.name] = (contestant.memory() - before) / self.count
        return self.known[contestant.name]


class Program:
    """What a program says of a server that it asks. `command`: of an address and seconds; `pattern`: finds the figure."""

    families = (4,)

    def __init__(self, title, key, who, command, pattern):
        self.title, self.key, self.who, self.command, self.pattern = title, key, who, command, pattern

    def measure(self, contestant, family, seconds):
        output = contestant.client.inside(*self.command(contestant.addresses[family], seconds))
        return float(re.search(self.pattern, output, re.MULTILINE)[1])


class Iperf3:
    """iperf3 sends to the kernel's: under `transom run`, natively (which is the bulk figure of kernel_peer), over veth."""

    key, families = "gbit_per_s", (4,)
    title, who = "iperf3 -c under transom run, sends", {"transom": "transom-pair", "native": "transom", "cubic": "cubic"}

    def measure(self, contestant, family, seconds):
        if contestant.name == "transom":
            return json.loads(contestant.client.inside(BIN / "kernel_peer", "sink", contestant.addresses[family], 19, seconds))[self.key]
        server = contestant.client.start("iperf3", "-s", "-1", "--forceflush", until="listening")
        ask = ["iperf3", "-t", max(1, round(seconds)), "-J", "-c"]
        if contestant.name == "cubic":
            output = contestant.sides[1].inside(*ask, "10.8.0.1")
        else:
            output = contestant.client.inside(BIN / "transom", "run", *DEVICE, "--", *ask, "10.9.0.1")
        server.wait(10)
        return json.loads(output)["end"]["sum_received"]["bits_per_second"] / 1e9


def pings(title, transom, clients, pings_per_second):
    return Program(title, "requests_per_s", {"transom": transom, "cubic": "redis-kernel"},
                   lambda address, seconds: ("redis-benchmark", "-h", address, "-t", "ping_mbulk", "-c", clients,
                                             "-n", int(pings_per_second * seconds), "--csv"), r'^"PING_MBULK","([0-9.]+)"')


PEERS = {"cubic": "cubic", "lwip": "lwip", "gvisor": "gvisor"}
RENO = {"KERNEL_PEER_CONGESTION_CONTROL": "reno"}
BULK = "gbit_per_s"
# `who`: the column, and who is in it. "transom" is what the others are held against.
WORK = [
    IdleMemory(10_000, {"transom": "transom", "lwip": "lwip", "gvisor": "gvisor"}),  # first, while nothing was freed
    Work("bulk, server sends", "sink", 19, BULK, {"transom": "transom", "limit": "tx-copy", "no copy": "tx", "reno": "reno", **PEERS}),
    Work("bulk, server receives, client CUBIC", "source", 9, BULK, {"transom": "transom", "limit": "rx-copy", "no copy": "rx", **PEERS}),
    Work("bulk, server receives, client Reno", "source", 9, BULK, {"transom": "transom", "limit": "rx-copy", "no copy": "rx", "reno": "reno"},
         environment=RENO),
    Work("bulk, zero copy, server sends", "sink", 19, BULK,
         {"transom": "tx-zero-copy", "copying": "transom", "no copy": "tx", "cubic": "cubic", "reno": "reno"}),
    Work("bulk, zero copy, server receives, client Reno", "source", 9, BULK,
         {"transom": "rx-zero-copy", "copying": "transom", "no copy": "rx", "reno": "reno"}, environment=RENO),
    Work("bulk, server sends, frames of 16 KiB at the limit", "sink", 19, BULK, {"transom": "transom", "limit": "tx-16k"}),
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
    *[Work(f"request/response, 1 octet, {place}, {what}", "request", 7, key, {"transom": "transom", "limit": "pong", **PEERS}, core=core)
      for place, core in (("one core", 0), ("free cores", None))
      for what, key in (("p50", "p50_us"), ("p99", "p99_us"), ("p99.9", "p999_us"))],
    Work("request/response, 1 octet, one core, p50, the limit polls first", "request", 7, "p50_us", {"transom": "transom", "limit": "pong-poll"},
         families=(4,), core=0),
    *[Work(f"request/response, 1 octet, both ends look and do not sleep, {what}", "request", 7, key,
           {"transom": "transom-spin", "limit": "pong-spin", "cubic": "cubic-spin"}, environment=SPIN)
      for what, key in (("p50", "p50_us"), ("p99", "p99_us"))],
    Work("connections, 1 at a time", "connect", 9, "connections_per_s", {"transom": "transom", **PEERS}),
    Work("connections, 64 at a time", "connect", 9, "connections_per_s", {"transom": "transom", **PEERS}, (64,)),
    Work("UDP datagrams echoed, 64 in flight", "datagrams", 7, "datagrams_per_s", {"transom": "transom", **PEERS}, (64,)),
    ProcessorTime("processor time of both ends for a KiB, server sends", "sink", 19, 1024, {"transom": "transom", **PEERS}),
    ProcessorTime("processor time of both ends for a KiB, server receives", "source", 9, 1024, {"transom": "transom", **PEERS}),
    ProcessorTime("processor time of both ends for a datagram and its echo", "datagrams", 7, 1, {"transom": "transom", **PEERS}),
    Program("nginx under transom run, HTTP requests, 32 connections", "requests_per_s", {"transom": "nginx-run", "cubic": "nginx-kernel"},
            lambda address, seconds: ("wrk", "-t", 1, "-c", 32, "-d", max(1, round(seconds)), f"http://{address}/1k"), r"Requests/sec: *([0-9.]+)"),
    pings("redis under transom run, PING, 1 client", "redis-run", 1, 20_000),
    pings("redis under transom run --busy-poll, PING, 1 client", "redis-run-spin", 1, 20_000),
    pings("redis under transom run, PING, 50 clients", "redis-run", 50, 50_000),
    Iperf3(),
    *[Work(f"{device}, {title}", mode, port, key, who, arguments, core=core)
      for device, who in (("packet ring", {"transom": "transom-packet", "tap": "transom", "cubic": "cubic"}),
                          ("AF_XDP, MTU 1500 without offload", {"transom": "transom-xdp", "tap": "transom-plain", "cubic": "cubic-plain"}))
      for title, mode, port, key, arguments, core in (("bulk, server sends", "sink", 19, BULK, (), None),
                                                      ("bulk, server receives", "source", 9, BULK, (), None),
                                                      ("request/response, 1 octet, one core, p50", "request", 7, "p50_us", (), 0),
                                                      ("connections, 64 at a time", "connect", 9, "connections_per_s", (64,), None))],
    # Last: it takes a while until so many are closed.
    AmongHeld(10_000, "connections, 64 at a time, 10,000 held", "connect", 9, "connections_per_s", {"transom": "transom", **PEERS},
              arguments=(64,), families=(4,)),
    AmongHeld(100_000, "connections, 64 at a time, 100,000 held", "connect", 9, "connections_per_s", {"alone": "transom-alone", "transom": "transom"},
              arguments=(64,), families=(4,)),
]
COLUMNS = ["limit", "no copy", "cubic", "reno", "lwip", "gvisor", "copying", "native", "alone", "tap"]
UNITS = {BULK: "Gbit/s", "p50_us": "µs", "p99_us": "µs", "p999_us": "µs", "connections_per_s": "/s", "datagrams_per_s": "/s", "requests_per_s": "/s",
         "cpu_ns": "ns", "octets": "octets"}
SMALLER_IS_BETTER = {"p50_us", "p99_us", "p999_us", "cpu_ns", "octets"}


def row(work, family, figures):
    """The Markdown row of one work: Transom's median, and the ratio to each other column with that one's median."""
    own = figures.get("transom", [])
    if not any(own):
        return None
    cells = [f"{work.title}, IPv{family}", f"{statistics.median(own):.4g} ({min(own):.4g}–{max(own):.4g}) {UNITS[work.key]}"]
    for column in COLUMNS:
        other = figures.get(column, [])
        pairs = [(b / a if work.key in SMALLER_IS_BETTER else a / b) for a, b in zip(own, other) if a and b]
        cells.append(f"**{statistics.median(pairs):.2f}** ({statistics.median(other):.4g})" if pairs else "")
    return "| " + " | ".join(cells) + " |"


def measure(work, contestant, family, seconds):
    """None when it fails, which is said: the other figures are not lost for it."""
    try:
        with contestant.at_work():
            return work.measure(contestant, family, seconds)
    except subprocess.CalledProcessError as error:
        print(f"{work.title}, {contestant.name}: {error.stderr.strip()}", file=sys.stderr)
        return None


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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("run.py: told to end"))  # and the namespaces with it
    try:
        for name in dict.fromkeys(name for w in work for name in w.who.values()):
            try:
                contestants[name] = MAKERS[name]()
            except LeftOut as why:
                print(f"{name} is left out: {why}", file=sys.stderr)
        for number in range(arguments.rounds):
            for w in work:
                for family in w.families:
                    for column, name in w.who.items():
                        contestant = contestants.get(name)
                        if contestant is None or family not in contestant.addresses:
                            continue
                        if sys.stderr.isatty():
                            print(f"\r\033[Kround {number + 1} of {arguments.rounds}: {w.title}, {name}", end="", file=sys.stderr)
                        value = measure(w, contestant, family, arguments.seconds)
                        figures.setdefault((w.title, family), {}).setdefault(column, []).append(value or 0)
    finally:
        for side in Side.made:
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
