"""Programs in pairs, a server and a client, of which one or both are on the stack. A program is a function of where they are."""

import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess

from harness import HOSTS, KERNELS, LOGS, ROOT, TRANSOM, Program, Skipped, check, check_same, random_file, run, wait_until, work

KIB = 1 << 10
MIB = 1 << 20
PYTHON = "/usr/bin/python3"
CLIENTS = {4: "10.9.0.3", 6: "fd09::3"}  # of the second stack
LENGTHS = {4: 24, 6: 64}
BAD_NETWORK = ["--fault", "loss=2% reorder=2% seed=4"]

PROGRAMS = {}


def program(function):
    PROGRAMS[function.__name__] = function
    return function


def bracket(address):
    return f"[{address}]" if ":" in address else address


class Placement:
    """`where`: "client" or "server" is on the stack and the other on the kernel, or "both" are, on two stacks that the kernel bridges."""

    def __init__(self, where, family, flags=(), size=2 * MIB):
        self.where = where
        self.family = family
        self.flags = [str(flag) for flag in flags]
        self.size = size
        self.address = KERNELS[family] if where == "client" else HOSTS[family]
        self.host = bracket(self.address)
        if where == "both":
            run("ip", "link", "add", "bridge", "type", "bridge")
            for name in ("tap0", "tap1"):
                run("ip", "tuntap", "add", name, "mode", "tap")
                run("ip", "link", "set", name, "master", "bridge", "up")
            run("ip", "link", "set", "bridge", "up")

    def _on_stack(self, name, tap, addresses, command):
        ips = [word for family, address in addresses.items() for word in ("--ip", f"{address}/{LENGTHS[family]}")]
        return [TRANSOM, "run", "--name", name, "--tap", tap, *ips, *self.flags, "--", *command]

    @contextlib.contextmanager
    def serve(self, *command, port, protocol="t", out=None):
        on_stack = self.where != "client"
        words = self._on_stack("server", "tap0", HOSTS, command) if on_stack else command
        with Program(*words, stdout=out) as server:
            listeners = [TRANSOM, "ss", "--host", "server", f"-nl{protocol}"] if on_stack else ["ss", f"-Hnl{protocol}"]
            def is_ready():
                shown = subprocess.run(listeners, capture_output=True, text=True, check=False)
                return shown.returncode == 0 and (port is None or f":{port} " in shown.stdout)
            wait_until(is_ready, f"{command[0]} listening on port {port}", 20)
            yield server
            if server.process.poll() is None:
                server.process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.process.wait(10)

    def ask(self, *command, expect=0, timeout=50):
        if self.where == "client":
            command = self._on_stack("client", "tap0", HOSTS, command)
        elif self.where == "both":
            command = self._on_stack("client", "tap1", CLIENTS, command)
        return run(*command, expect=expect, timeout=timeout)


# ---------------------------------------------------------------- http


@program
def curl(at):
    original = random_file(at.size)
    with at.serve(PYTHON, "-m", "http.server", "--bind", "::", "--directory", original.parent, "8000", port=8000):
        at.ask("curl", "-sS", "--fail", "-o", work() / "got", f"http://{at.host}:8000/{original.name}")
    check_same(work() / "got", original)


@program
def urllib(at):
    original = random_file(at.size)
    with at.serve(PYTHON, "-m", "http.server", "--bind", "::", "--directory", original.parent, "8000", port=8000):
        at.ask(PYTHON, "-c", f"import urllib.request as u; u.urlretrieve('http://{at.host}:8000/{original.name}', '{work()}/got')")
    check_same(work() / "got", original)


@program
def busybox_wget(at):  # a static program
    original = random_file(at.size)
    with at.serve("busybox", "httpd", "-f", "-p", "[::]:8000", "-h", original.parent, port=8000):
        at.ask("busybox", "wget", "-q", "-O", work() / "got", f"http://{at.host}:8000/{original.name}")
    check_same(work() / "got", original)


def go_program():
    if shutil.which("go") is None:
        raise Skipped("go is not installed (tests/install_packages.sh all)")
    path = LOGS / "go_http"
    with open(LOGS / "go.lock", "w", encoding="ascii") as lock:  # once for all tests
        fcntl.flock(lock, fcntl.LOCK_EX)
        source = ROOT / "tests" / "interop" / "go_http" / "main.go"
        if not path.exists() or path.stat().st_mtime < source.stat().st_mtime:
            run("go", "build", "-o", path, source, timeout=300, environment={"CGO_ENABLED": "0", "GO111MODULE": "off"})
    return path


@program
def go(at):  # a static program that makes its own system calls
    path = go_program()
    original = random_file(at.size)
    with at.serve(path, "serve", original.parent, ":8000", port=8000):
        at.ask(path, "get", f"http://{at.host}:8000/{original.name}", work() / "got", "10")
    check_same(work() / "got", original)


def nginx_command(directory):
    (work() / "nginx").mkdir(exist_ok=True)
    (work() / "nginx.conf").write_text(f"""
        user root; worker_processes 2; daemon off; pid {work()}/nginx/pid; error_log {work()}/nginx/error;
        events {{ worker_connections 512; }}
        http {{ sendfile on; tcp_nopush on; access_log off; client_body_temp_path {work()}/nginx/body; proxy_temp_path {work()}/nginx/proxy;
                fastcgi_temp_path {work()}/nginx/f; uwsgi_temp_path {work()}/nginx/u; scgi_temp_path {work()}/nginx/s;
                server {{ listen 80; listen [::]:80; root {directory}; }} }}
        """)
    return ["nginx", "-p", work() / "nginx", "-e", work() / "nginx" / "error", "-c", work() / "nginx.conf"]


@program
def nginx_and_wrk(at):
    original = random_file(min(at.size, 64 * KIB))
    with at.serve(*nginx_command(original.parent), port=80):
        output = at.ask("wrk", "-t", "2", "-c", "20", "-d", "1", "--timeout", "20", f"http://{at.host}/{original.name}")
    check("Non-2xx" not in output and "read 0, write 0, timeout 0" in output or "Socket errors" not in output,
          "not all requests were answered")


@program
def git(at):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    run(*command, "init", "-q", work() / "origin")
    (work() / "origin" / "file").write_bytes(os.urandom(at.size // 2))
    run(*command, "-C", work() / "origin", "add", "file")
    run(*command, "-C", work() / "origin", "commit", "-q", "-m", "one")
    run("git", "-C", work() / "origin", "update-server-info")
    with at.serve(PYTHON, "-m", "http.server", "--bind", "::", "--directory", work(), "8000", port=8000):
        at.ask("git", "clone", "-q", f"http://{at.host}:8000/origin/.git", work() / "copy")
    check_same(work() / "copy" / "file", work() / "origin" / "file")


# ---------------------------------------------------------------- pipes


def send_a_file(at, listen, send):
    original = random_file(at.size)
    with open(work() / "got", "wb") as out, at.serve("sh", "-c", "exec " + listen, port=9000, out=out) as listener:
        at.ask("sh", "-c", f"{send} < {original}")
        listener.wait()
    check_same(work() / "got", original)


@program
def nc(at):
    send_a_file(at, f"nc -{at.family} -l 9000", f"nc -N {at.address} 9000")


@program
def ncat(at):
    send_a_file(at, f"ncat -{at.family} -l --recv-only 9000", f"ncat --send-only {at.address} 9000")


@program
def socat(at):
    send_a_file(at, f"socat -u TCP{at.family}-LISTEN:9000 -", f"socat -u - TCP:{at.host}:9000")


# ---------------------------------------------------------------- measures


def iperf3(at, *flags):
    with at.serve("iperf3", "-s", "-1", port=5201):
        at.ask("iperf3", "-c", at.address, "-t", "1", *flags)


for name, flags in {"iperf3": [], "iperf3_reverse": ["-R"], "iperf3_eight": ["-P", "8"], "iperf3_both_ways": ["--bidir"]}.items():
    PROGRAMS[name] = lambda at, flags=flags: iperf3(at, *flags)


@program
def iperf3_udp(at):
    # iperf3 sends the datagram that opens its stream, and the answer to it, once. On a bad network it may have to be started again.
    attempts = "1 2 3 4" if at.flags else "1"
    with at.serve("iperf3", "-s", port=5201):
        at.ask("sh", "-c", f"for attempt in {attempts}; do timeout 6 iperf3 -c {at.address} -t 1 -u -b 20M && exit 0; done; exit 1")


@program
def redis(at):
    with at.serve("redis-server", "--port", "6379", "--bind", "0.0.0.0", "::", "--save", "", "--protected-mode", "no", port=6379,
                  out=subprocess.DEVNULL):
        output = at.ask("sh", "-c", f"redis-cli -h {at.address} set key value && redis-cli -h {at.address} get key && "
                        f"redis-benchmark -h {at.address} -q -t ping,get -n 2000 -c 20 -P 4")
    check("value" in output and output.count("requests per second") >= 3, "not all was answered")


# ---------------------------------------------------------------- other programs


def make_ssh_keys():
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work() / name)
    shutil.copy(work() / "user.pub", work() / "authorized")
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    return f"/usr/sbin/sshd -f /dev/null -D -e -p 2222 -h {work()}/host -o AuthorizedKeysFile={work()}/authorized -o StrictModes=no " \
           "-o PidFile=none -o Subsystem='sftp internal-sftp'", \
           f"-i {work()}/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"


@program
def ssh(at):
    original = random_file(at.size)
    server, flags = make_ssh_keys()
    with at.serve("sh", "-c", "exec " + server, port=2222):
        output = at.ask("sh", "-c", f"ssh {flags} -p 2222 root@{at.address} 'echo $SSH_CONNECTION' && "
                        f"scp -q {flags} -P 2222 root@{at.host}:{original} {work()}/got")
    check(f"{at.address} 2222" in output, "sshd does not see how it is connected")
    check_same(work() / "got", original)


@program
def openssl(at):
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", work() / "key", "-out", work() / "certificate", "-days", "1",
        "-subj", "/CN=stack.example")
    with at.serve("openssl", "s_server", "-quiet", "-accept", "4433", "-key", work() / "key", "-cert", work() / "certificate", "-www",
                  port=4433):
        output = at.ask("sh", "-c", f"echo | openssl s_client -connect {at.host}:4433 -CAfile {work()}/certificate 2>&1")
    check("Verify return code: 0" in output, "no session")


@program
def rsync(at):
    original = random_file(at.size)
    (work() / "rsync.conf").write_text(f"use chroot = no\n[files]\npath = {original.parent}\nread only = yes\n")
    with at.serve("rsync", "--daemon", "--no-detach", "--port", "8730", "--config", work() / "rsync.conf", port=8730):
        at.ask("rsync", f"rsync://{at.host}:8730/files/{original.name}", work() / "got")
    check_same(work() / "got", original)


ECHO_SERVER = """
import asyncio
async def answer(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()
async def main():
    async with await asyncio.start_server(answer, None, 7000, backlog=1000) as server:
        await server.serve_forever()
asyncio.run(main())
"""
ECHO_CLIENT = """
import asyncio, sys
async def ask(number):
    reader, writer = await asyncio.open_connection(sys.argv[1], 7000)
    for word in range(3):
        line = b"%d of %d\\n" % (word, number)
        writer.write(line)
        assert await reader.readline() == line
    writer.close()
    await writer.wait_closed()
async def main():
    await asyncio.gather(*[ask(number) for number in range(int(sys.argv[2]))])
asyncio.run(main())
"""


@program
def asyncio(at):
    with at.serve(PYTHON, "-c", ECHO_SERVER, port=7000):
        at.ask(PYTHON, "-c", ECHO_CLIENT, at.address, "1000" if at.size >= MIB else "100")


# A name server that has one answer.
NAME_SERVER = """
import socket
server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
server.bind(("::", 5300))
while True:
    query, peer = server.recvfrom(4096)
    end = query.index(b"\\0", 12) + 5
    server.sendto(query[:2] + b"\\x85\\x80\\0\\1\\0\\1\\0\\0\\0\\0" + query[12:end] + b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\xc0\\0\\2\\7", peer)
"""


@program
def dig(at):
    with at.serve(PYTHON, "-c", NAME_SERVER, port=5300, protocol="u"):
        output = at.ask("dig", "+short", "+tries=5", f"@{at.address}", "-p", "5300", "name.example")
    check("192.0.2.7" in output, "no answer")


@program
def nmap(at):
    with at.serve("ncat", f"-{at.family}", "-lk", "8000", port=8000):
        output = at.ask("nmap", f"-{at.family}", "-n", "-sT", "-Pn", "-p", "7995-8005", at.address)
    check("8000/tcp open" in output and output.count("closed") == 10, "not what is open")


@program
def ping(at):
    with at.serve("sleep", "1000", port=None):
        at.ask("sh", "-c", f"ping -c 3 -i 0.2 -w 20 {at.address}")


@program
def traceroute(at):
    with at.serve("sleep", "1000", port=None):
        output = at.ask("sh", "-c", "; ".join(f"traceroute -{at.family} {way} -n -m 5 -w 2 {at.address}" for way in ("", "-I")))
    check(len(re.findall(rf"^ 1  (\* )*{at.address}", output, re.MULTILINE)) == 2, "not one hop away, by UDP and by ICMP")
