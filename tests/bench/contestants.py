"""Who serves in a measurement, and where: namespaces, devices, and the program at the other end of them."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / "release" / "bin"
PREFIX = f"tb{os.getpid()}"
NO_OFFLOAD = ["tso", "off", "gso", "off", "gro", "off", "tx", "off", "rx", "off"]
SPIN = {"KERNEL_PEER_WAIT": "spin"}
NOT_INSTALLED = "it is not installed (see tests/install_packages.sh)"


class LeftOut(Exception):
    """Why somebody cannot take part on this machine."""


def run(*command, **kwargs):
    return subprocess.run([str(part) for part in command], check=True, text=True, capture_output=True, **kwargs).stdout


class Side:
    """A network namespace with a program in it that serves."""

    made = []  # all there are, so that none is left behind

    def __init__(self, name):
        self.namespace = f"{PREFIX}-{name}"
        self.processes = []
        run("ip", "netns", "add", self.namespace)
        Side.made.append(self)
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("sysctl", "-qw", "net.ipv4.ip_local_port_range=1100 65535")  # for those that are held

    def inside(self, *command, core=None, environment=None):
        placed = ["taskset", "-c", str(core)] if core is not None else []
        return run("ip", "netns", "exec", self.namespace, *placed, *command, env={**os.environ, **(environment or {})})

    def start(self, *command, until="ready", environment=None, stdin=subprocess.DEVNULL):
        process = subprocess.Popen(["ip", "netns", "exec", self.namespace, *map(str, command)], stdin=stdin, stdout=subprocess.PIPE,
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
            process.send_signal(signal.SIGCONT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        subprocess.run(["ip", "netns", "delete", self.namespace], check=False)


class Contestant:
    """Who serves: the namespace that the client runs in, an address for each family, and the process that serves."""

    def __init__(self, name, client, addresses, process, sides):
        self.name, self.client, self.addresses, self.process, self.sides = name, client, addresses, process, sides
        self.spins = name.endswith("-spin")
        if self.spins:
            process.send_signal(signal.SIGSTOP)

    @contextlib.contextmanager
    def at_work(self):
        """One that looks for work again and again stands still while others are measured."""
        if self.spins:
            self.process.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            if self.spins:
                self.process.send_signal(signal.SIGSTOP)

    def place(self, core):
        """Puts the server on a core; None: on any."""
        cores = str(core) if core is not None else f"0-{os.cpu_count() - 1}"
        run("taskset", "-a", "-p", "-c", cores, self.process.pid)

    def memory(self):
        """Octets that the serving process has."""
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def bare_veth_pair(name, offload=True):
    """The client's veth0 has addresses; the server's veth1 is up."""
    client, server = Side(f"{name}-c"), Side(f"{name}-s")
    try:
        run("ip", "link", "add", "veth0", "netns", client.namespace, "type", "veth", "peer", "name", "veth1", "netns", server.namespace)
    except subprocess.CalledProcessError as error:
        raise LeftOut(f"no veth pair can be made: {error.stderr.strip()}") from error
    if not offload:
        client.inside("ethtool", "-K", "veth0", *NO_OFFLOAD)
        server.inside("ethtool", "-K", "veth1", *NO_OFFLOAD)
    client.inside("ip", "addr", "add", "fd08::1/64", "dev", "veth0", "nodad")
    client.configure("veth0", "10.8.0.1")
    server.inside("ip", "link", "set", "veth1", "up")
    return client, server


def veth_pair(name, offload=True):
    client, server = bare_veth_pair(name, offload)
    server.inside("ip", "addr", "add", "fd08::2/64", "dev", "veth1", "nodad")
    server.configure("veth1", "10.8.0.2")
    return client, server


def kernel(name, congestion_control="cubic", offload=True, environment=None):
    client, server = veth_pair(name, offload)
    process = server.start(BIN / "kernel_peer", "serve",
                           environment={"KERNEL_PEER_CONGESTION_CONTROL": congestion_control, **(environment or {})})
    return Contestant(name, client, {4: "10.8.0.2", 6: "fd08::2"}, process, [client, server])


DEVICE = ["--tap", "tap0", "--ip", "10.9.0.2/24", "--ip", "fd09::2/64", "--kernel-ip", "10.9.0.1/24", "--kernel-ip", "fd09::1/64"]


SERVICES = ["--serve", "discard=9", "--serve", "chargen=19", "--serve", "echo=7", "--serve", "discard=10", "--serve", "discard=11"]


def transom(name, *flags):
    side = Side(name)
    process = side.start(BIN / "transom", "up", *DEVICE, *SERVICES, *flags)
    return Contestant(name, side, {4: "10.9.0.2", 6: "fd09::2"}, process, [side])


def transom_on_veth(name, driver, offload=True):
    """On the server's end of a veth pair, by the packet ring or by AF_XDP, where the kernel has no address."""
    client, server = bare_veth_pair(name, offload)
    command = [BIN / "transom", "up", f"--{driver}", "veth1", "--ip", "10.8.0.2/24", "--ip", "fd08::2/64"]
    try:
        server.inside("sysctl", "-qw", "net.ipv6.conf.veth1.disable_ipv6=1")  # nor anything to say
        server.inside(*command, "--", "true")
    except subprocess.CalledProcessError as error:
        raise LeftOut(error.stderr.strip()) from error
    return Contestant(name, client, {4: "10.8.0.2", 6: "fd08::2"}, server.start(*command, *SERVICES), [client, server])


def zero_copy(name, service):
    side = Side(name)
    return Contestant(name, side, {4: "10.9.4.2", 6: "fd09:4::2"}, side.start(BIN / "zero_copy_peer", "tap0", service), [side])


def kernel_program(name, *command, until):
    client, server = veth_pair(name)
    return Contestant(name, client, {4: "10.8.0.2"}, server.start(*command, until=until), [client, server])


def program_under_run(name, *command, until, flags=()):
    side = Side(name)
    process = side.start(BIN / "transom", "run", *DEVICE, *flags, "--", *command, until=until)
    return Contestant(name, side, {4: "10.9.0.2"}, process, [side])


def blaster(name, *arguments):
    side = Side(name)
    mode, *rest = arguments
    process = side.start(BIN / "blaster", mode, "tap0", *rest)
    side.configure("tap0", "10.9.1.1")
    side.inside("ip", "neigh", "add", "10.9.1.2", "lladdr", "02:00:00:00:00:02", "dev", "tap0", "nud", "permanent")
    return Contestant(name, side, {4: "10.9.1.2"}, process, [side])


def lwip(name):
    if not (BIN / "lwip_peer").exists():
        raise LeftOut(NOT_INSTALLED)
    side = Side(name)
    process = side.start(BIN / "lwip_peer", "tap0", "10.9.2.2")
    side.configure("tap0", "10.9.2.1")
    return Contestant(name, side, {4: "10.9.2.2"}, process, [side])


def gvisor(name):
    sources = pathlib.Path("/usr/share/gocode/src/gvisor.dev/gvisor")
    if not sources.exists() or not shutil.which("go"):
        raise LeftOut(NOT_INSTALLED)
    program = BIN / "gvisor_peer"
    if not program.exists():
        run("go", "build", "-o", program, ".", cwd=ROOT / "tests" / "bench" / "gvisor_peer",
            env={**os.environ, "GOPATH": "/usr/share/gocode", "GO111MODULE": "off"})
    side = Side(name)
    side.inside("ip", "tuntap", "add", "dev", "tap0", "mode", "tap")
    side.configure("tap0", "10.9.3.1")
    process = side.start(program, "tap0", "10.9.3.2")
    return Contestant(name, side, {4: "10.9.3.2"}, process, [side])


REDIS = ["redis-server", "--port", "6379", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--appendonly", "no"]
# nginx says nothing when it listens; who waits for the line waits for the shell.
NGINX = ["sh", "-c", """
directory=$(mktemp -d); trap 'rm -rf "$directory"' EXIT; head -c 1024 /dev/zero >"$directory/1k"
cat >"$directory/conf" <<END
user root; worker_processes 1; daemon off; master_process off; pid $directory/pid; error_log $directory/error;
events { worker_connections 512; }
http { access_log off; client_body_temp_path $directory/b; proxy_temp_path $directory/p; fastcgi_temp_path $directory/f;
       uwsgi_temp_path $directory/u; scgi_temp_path $directory/s; keepalive_requests 1000000000; server { listen 80; root $directory; } }
END
nginx -p "$directory" -e "$directory/error" -c "$directory/conf" &
trap 'kill $!; rm -rf "$directory"' TERM
sleep 1; echo ready; wait"""]


def needs(program, maker):
    if not shutil.which(program):
        raise LeftOut(NOT_INSTALLED)
    return maker()


MAKERS = {
    "transom": lambda: transom("transom"),
    "transom-pair": lambda: Contestant("transom-pair", side := Side("transom-pair"), {4: "10.9.0.2"}, None, [side]),  # for who runs one itself
    "transom-plain": lambda: transom("transom-plain", "--no-offload"),
    "transom-packet": lambda: transom_on_veth("transom-packet", "packet"),
    "transom-xdp": lambda: transom_on_veth("transom-xdp", "xdp", offload=False),
    "transom-alone": lambda: transom("transom-alone"),
    "tx-zero-copy": lambda: zero_copy("tx-zero-copy", "chargen"),
    "rx-zero-copy": lambda: zero_copy("rx-zero-copy", "discard"),
    "transom-spin": lambda: transom("transom-spin", "--busy-poll", "100"),
    "cubic": lambda: kernel("cubic"),
    "cubic-spin": lambda: kernel("cubic-spin", environment=SPIN),
    "reno": lambda: kernel("reno", "reno"),
    "cubic-plain": lambda: kernel("cubic-plain", offload=False),
    "reno-plain": lambda: kernel("reno-plain", "reno", offload=False),
    "tx-copy": lambda: blaster("tx-copy", "tx", 64240, 1, 1),
    "tx": lambda: blaster("tx", "tx", 64240, 0, 1),
    "tx-16k": lambda: blaster("tx-16k", "tx", 16060, 1, 1),
    "tx-plain": lambda: blaster("tx-plain", "tx", 1460, 1, 0),
    "rx-copy": lambda: blaster("rx-copy", "rx", 64240, 1, 1),
    "rx": lambda: blaster("rx", "rx", 64240, 0, 1),
    "rx-plain": lambda: blaster("rx-plain", "rx", 1460, 1, 0),
    "pong": lambda: blaster("pong", "pong", "block"),
    "pong-poll": lambda: blaster("pong-poll", "pong", "poll"),
    "pong-spin": lambda: blaster("pong-spin", "pong", "busy"),
    "lwip": lambda: lwip("lwip"),
    "gvisor": lambda: gvisor("gvisor"),
    "redis-run": lambda: needs("redis-server", lambda: program_under_run("redis-run", *REDIS, until="eady to accept")),
    "redis-run-spin": lambda: needs("redis-server", lambda: program_under_run("redis-run-spin", *REDIS, until="eady to accept",
                                                                              flags=["--busy-poll", "100"])),
    "redis-kernel": lambda: needs("redis-server", lambda: kernel_program("redis-kernel", *REDIS, until="eady to accept")),
    "nginx-run": lambda: needs("nginx", lambda: program_under_run("nginx-run", *NGINX, until="ready")),
    "nginx-kernel": lambda: needs("nginx", lambda: kernel_program("nginx-kernel", *NGINX, until="ready")),
}
