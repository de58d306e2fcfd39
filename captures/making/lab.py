"""Where captures are made: hosts of the Linux kernel, each in a network namespace of its own, joined by wires of which this program is the
middle. It carries each frame between two TAP devices, so that it can lose, hold back, double, change and record exactly those that a case
names. A socket belongs to the namespace that its thread was in when it was made: one script runs both applications."""

import contextlib
import ctypes
import fcntl
import heapq
import itertools
import os
import select
import socket
import struct
import subprocess
import threading
import time

import packets
from files import Frame
from packets import Packet

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
DROP, TWICE = "drop", "twice"


def system_call(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Node:
    """A host: a network namespace. `with node:` is to be there."""

    def __init__(self, name):
        self.name = name
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        system_call(libc.unshare(CLONE_NEWNET))
        self.namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.run("ip", "link", "set", "lo", "up")
        system_call(libc.setns(here, CLONE_NEWNET))
        os.close(here)
        self.before = []
        self.programs = []

    def __enter__(self):
        self.before.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        system_call(libc.setns(self.namespace, CLONE_NEWNET))
        return self

    def __exit__(self, *_):
        here = self.before.pop()
        system_call(libc.setns(here, CLONE_NEWNET))
        os.close(here)

    def run(self, *command, expect=0, stdin=None):
        with self if hasattr(self, "before") else contextlib.nullcontext():
            done = subprocess.run([str(word) for word in command], input=stdin, stdin=None if stdin else subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        if expect is not None and done.returncode != expect:
            raise RuntimeError(f"{' '.join(map(str, command))}: status {done.returncode}: {done.stdout.decode(errors='replace')[-500:]}")
        return done.stdout.decode(errors="replace")

    def start(self, *command, **how):
        with self:
            program = subprocess.Popen([str(word) for word in command], **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
                                                                           "stderr": subprocess.DEVNULL, **how})
        self.programs.append(program)
        return program

    def sysctl(self, **values):
        """net.ipv4.* by name; with `ipv6_`, `conf_` or the like as a path where a name has underscores for slashes: use set()."""
        for name, value in values.items():
            self.set(f"ipv4/{name}", value)

    def set(self, path, value):
        with self, open(f"/proc/sys/net/{path}", "w", encoding="ascii") as file:
            file.write(str(value))

    def tap(self, name, mac, mtu=1500):
        """A TAP device in this namespace; the descriptor of its other side."""
        with self:
            descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(descriptor, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1002))
            for path, value in ((f"ipv6/conf/{name}/accept_dad", 0), (f"ipv6/conf/{name}/router_solicitations", 0),
                                (f"ipv6/conf/{name}/addr_gen_mode", 0)):
                self.set(path, value)
            self.run("ip", "link", "set", name, "address", mac, "mtu", mtu, "up")
        return descriptor

    def socket(self, family=4, kind=socket.SOCK_STREAM, **options):
        with self:
            made = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, kind)
        for name, value in options.items():
            level = socket.IPPROTO_TCP if name.startswith("TCP_") else socket.IPPROTO_IPV6 if name.startswith("IPV6_") else \
                socket.IPPROTO_IP if name.startswith("IP_") else socket.SOL_SOCKET
            made.setsockopt(level, getattr(socket, name), value)
        return made

    def end(self):
        for program in self.programs:
            if program.poll() is None:
                program.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    program.wait(2)
                program.kill()
                program.wait()


class Rule:
    """What happens to the frames of `sender` that `kind` is true of: to those whose number among them, from 1, is in `which` (None: all)."""

    def __init__(self, sender, kind, which, action):
        self.sender, self.kind, self.which, self.action = sender, kind, which, action
        self.seen = 0

    def of(self, packet):
        if packet.sender != self.sender.name or not self.kind(packet):
            return None
        self.seen += 1
        return self.action if self.which is None or self.seen in self.which else None


class Wire:
    """Between two nodes. `delay` in seconds, one way."""

    def __init__(self, lab, ends, delay):
        self.lab, self.ends, self.delay = lab, ends, delay
        self.rules = []

    def other(self, end):
        return 1 - end


class Lab:
    """The hosts `client` and `server` on one wire, or with `routed` a `router` between them; IPv4 and IPv6. Records what passes the
    client's end of the wire, or that of the node which `at` names (on the client's side of a router). `far_mtu`: what the router may send on
    the server's side."""

    def __init__(self, at="client", routed=False, delay=0.005, far_mtu=1500):
        self.client, self.server = Node("client"), Node("server")
        self.router = Node("router") if routed else None
        self.nodes = [node for node in (self.client, self.router, self.server) if node]
        self.at = at
        self.frames = []
        self.keep = lambda packet: not is_noise(packet)
        self.wires = []
        self.waiting = []
        self.listeners = []
        self.order = itertools.count()
        self.lock = threading.Lock()
        self.running = True
        self.wake_read, self.wake_write = os.pipe()
        near = (self.router, "near", "02:00:00:00:00:fe") if routed else (self.server, "eth0", "02:00:00:00:00:02")
        self.wire = self._join((self.client, "eth0", "02:00:00:00:00:01"), near, delay)
        self.client.run("ip", "address", "add", "192.0.2.1/24", "dev", "eth0")
        self.client.run("ip", "address", "add", "2001:db8:1::1/64", "dev", "eth0", "nodad")
        if routed:
            self._route(far_mtu, delay)
        else:
            self.server.run("ip", "address", "add", "192.0.2.2/24", "dev", "eth0")
            self.server.run("ip", "address", "add", "2001:db8:1::2/64", "dev", "eth0", "nodad")
        self.thread = threading.Thread(target=self._carry, daemon=True)
        self.thread.start()

    def address(self, family=4):
        """The server's."""
        far = self.router is not None
        return ("2001:db8:2::2" if far else "2001:db8:1::2") if family == 6 else "198.51.100.2" if far else "192.0.2.2"

    def _route(self, far_mtu, delay):
        self.far_wire = self._join((self.router, "far", "02:00:00:00:01:fe"), (self.server, "eth0", "02:00:00:00:00:02"), delay, far_mtu)
        for device, four, six in (("near", "192.0.2.254/24", "2001:db8:1::fe/64"), ("far", "198.51.100.254/24", "2001:db8:2::fe/64")):
            self.router.run("ip", "address", "add", four, "dev", device)
            if device == "near" or far_mtu >= 1280:  # less is too little for IPv6
                self.router.run("ip", "address", "add", six, "dev", device, "nodad")
        self.server.run("ip", "address", "add", "198.51.100.2/24", "dev", "eth0")
        self.server.run("ip", "address", "add", "2001:db8:2::2/64", "dev", "eth0", "nodad")
        self.router.sysctl(ip_forward=1)
        self.router.set("ipv6/conf/all/forwarding", 1)
        self.client.run("ip", "route", "add", "default", "via", "192.0.2.254")
        self.client.run("ip", "-6", "route", "add", "default", "via", "2001:db8:1::fe")
        self.server.run("ip", "route", "add", "default", "via", "198.51.100.254")
        if far_mtu >= 1280:
            self.server.run("ip", "-6", "route", "add", "default", "via", "2001:db8:2::fe")

    def _join(self, left, right, delay, mtu=1500):
        ends = [(node, node.tap(device, mac, size)) for (node, device, mac), size in ((left, mtu), (right, 1500))]
        wire = Wire(self, ends, delay)
        self.wires.append(wire)
        return wire

    def rule(self, sender, kind, which, action, wire=None):
        """To the frames that `sender` puts on the wire: DROP, TWICE, seconds to hold back, or a function of the frame that gives another."""
        (wire or self.wire).rules.append(Rule(sender, kind, which, action))

    def inject(self, to, frame):
        """A frame that none of the hosts has sent comes to `to`."""
        with self.lock:
            descriptor = next(fd for node, fd in self.wire.ends if node is to)
            if self.at == to.name:
                self._record(Packet(frame, "nobody"))
            os.write(descriptor, frame)

    def pause(self, seconds=0.1):
        time.sleep(seconds)

    # ---------------------------------------------------------------- the middle of the wires

    def _record(self, packet):
        if self.keep(packet):
            self.frames.append(Frame(time.time_ns(), packet.frame))

    def _carry(self):
        sources = {fd: (wire, end) for wire in self.wires for end, (_, fd) in enumerate(wire.ends)}
        while self.running:
            wait = max(0.0, self.waiting[0][0] - time.monotonic()) if self.waiting else 0.2
            ready, _, _ = select.select(list(sources) + [self.wake_read], [], [], wait)
            with self.lock:
                for descriptor in ready:
                    if descriptor in sources:
                        self._take(descriptor, *sources[descriptor])
                self._deliver()

    def _take(self, descriptor, wire, end):
        while True:
            try:
                frame = os.read(descriptor, 70000)
            except BlockingIOError:
                return
            packet = Packet(frame, wire.ends[end][0].name)
            if wire is self.wire and packet.sender == self.at:
                self._record(packet)
            copies, late = 1, 0.0
            for rule in wire.rules:
                action = rule.of(packet)
                if action == DROP:
                    copies = 0
                elif action == TWICE:
                    copies = 2
                elif callable(action):
                    frame = action(frame)
                elif action is not None:
                    late += action
            for _ in range(copies):
                heapq.heappush(self.waiting, (time.monotonic() + wire.delay + late, next(self.order), wire, wire.other(end), frame))

    def _deliver(self):
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, _, wire, end, frame = heapq.heappop(self.waiting)
            node, descriptor = wire.ends[end]
            if wire is self.wire and node.name == self.at:
                self._record(Packet(frame, wire.ends[wire.other(end)][0].name))
            with contextlib.suppress(OSError):
                os.write(descriptor, frame)

    def end(self):
        """What is still on its way arrives before."""
        time.sleep(2 * self.wire.delay + 0.03)
        for node in self.nodes:
            node.end()
        self.running = False
        os.write(self.wake_write, b".")
        self.thread.join()

    # ---------------------------------------------------------------- applications

    def listen(self, port=80, family=4, backlog=8, **options):
        listener = self.server.socket(family, SO_REUSEADDR=1, **options)
        listener.bind((self.address(family), port))
        listener.listen(backlog)
        self.listeners.append(listener)  # it listens to the end, whoever forgets it
        return listener

    def connect(self, port=80, family=4, **options):
        """A socket of the client, connected to the server."""
        made = self.client.socket(family, **options)
        made.connect((self.address(family), port))
        return made

    def pair(self, port=80, family=4, client=None, server=None):
        """Two connected sockets; `client` and `server`: their options."""
        listener = self.listen(port, family, **(server or {}))
        near = self.connect(port, family, **(client or {}))
        far, _ = listener.accept()
        listener.close()
        return near, far


def is_noise(packet):
    """What a host says when its device comes up: reports of groups, router solicitations."""
    if packet.version == 4:
        return packet.protocol == packets.IGMP
    if packet.version == 6 and packet.protocol == packets.ICMPV6 and 0 < packet.transport_at < len(packet.frame):
        return packet.frame[packet.transport_at] in (130, 131, 132, 133, 134, 143)
    return False


def read_all(from_socket, count=None):
    """Until the end of the stream, or `count` octets."""
    out = b""
    while count is None or len(out) < count:
        piece = from_socket.recv(65536 if count is None else min(65536, count - len(out)))
        if not piece:
            break
        out += piece
    return out


def text(size):
    """So many octets that are easily told apart in a dump."""
    line = b"".join(b"%07d " % number for number in range(0, size + 8, 8))
    return line[:size]
