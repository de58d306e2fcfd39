"""Unmodified programs on the stack: `transom run`. With a device the kernel is the other side; without one both ends are on the stack,
over its loopback interface."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys

from harness import HOSTS, KERNELS, TRANSOM, Program, check, check_same, random_file, run, sha256, test, wait_for_kernel_listener, \
    wait_until, work

MIB = 1 << 20
DEVICE = ["--tap", "tap0", "--ip", "10.9.0.2/24", "--ip", "fd09::2/64"]
LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def on_stack(*command, device=True, flags=()):
    """The command line that runs `command` on the stack."""
    return [str(TRANSOM), "run", "--name", "host"] + (DEVICE if device else []) + [str(flag) for flag in flags] + ["--"] + \
        [str(word) for word in command]


def bracket(address):
    return f"[{address}]" if ":" in address else address


def answers(address, port):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


class Server:
    """A server on the stack, with the kernel as its client: ready when it can be connected to."""

    def __init__(self, *command, port, flags=()):
        self.program = Program(*on_stack(*command, flags=flags))
        self.port = port

    def __enter__(self):
        self.program.__enter__()
        wait_until(lambda: answers(HOSTS[4], self.port), f"{self.program.words} answering on port {self.port}")
        return self

    def __exit__(self, *arguments):
        self.program.process.terminate()
        self.program.process.wait(10)


def script(text):
    """A shell script on the stack's loopback, of which every line must succeed; returns its output."""
    path = work() / "script.sh"
    path.write_text("set -eu\n" + WAIT_FOR + text)
    return run(*on_stack("bash", path, device=False))


# Within a script: until something listens there.
WAIT_FOR = """
wait_for() { for i in $(seq 100); do if (exec 3<>/dev/tcp/$1/$2) 2>/dev/null; then return 0; fi; sleep 0.05; done; echo "nothing listens on $1 $2"; exit 1; }
"""


# ---------------------------------------------------------------- http


class KernelWeb:
    """python3 -m http.server of the kernel's side."""

    def __init__(self, directory):
        self.program = Program(sys.executable, "-m", "http.server", "--bind", "::", "--directory", directory, "8000")

    def __enter__(self):
        self.program.__enter__()
        wait_for_kernel_listener(8000)
        return self

    def __exit__(self, *arguments):
        self.program.__exit__(*arguments)


@test(each=[(4,), (6,)])
def curl_downloads_from_the_kernel(family):
    original = random_file(16 * MIB)
    with KernelWeb(original.parent):
        run(*on_stack("curl", "-sS", "--fail", "-o", work() / "got", f"http://{bracket(KERNELS[family])}:8000/{original.name}"))
    check_same(work() / "got", original)


@test(timeout=180, long=True)
def curl_downloads_one_gibibyte():
    original = random_file(1024 * MIB)
    with KernelWeb(original.parent):
        output = run(*on_stack("sh", "-c", f"curl -sS --fail http://{KERNELS[4]}:8000/{original.name} | sha256sum"), timeout=170)
    check(sha256(original) in output, "what arrived differs")


@test()
def curl_goes_on_where_it_was_cut_off():
    original = random_file(16 * MIB)
    with open(original, "rb") as source, open(work() / "got", "wb") as part:
        part.write(source.read(5 * MIB))
    with Server(*nginx_command(original.parent), port=80):
        run("curl", "-sS", "--fail", "-C", "-", "-o", work() / "got", f"http://{HOSTS[4]}/{original.name}")
    check_same(work() / "got", original)


@test()
def a_hundred_curls_at_once():
    original = random_file(MIB)
    with KernelWeb(original.parent):
        run(*on_stack("curl", "-sS", "--fail", "--parallel", "--parallel-max", "100",
                      *[word for number in range(100) for word in ("-o", work() / f"got{number}",
                                                                   f"http://{KERNELS[4]}:8000/{original.name}")]))
    for number in range(100):
        check_same(work() / f"got{number}", original)
        (work() / f"got{number}").unlink()


@test(each=[(4,), (6,)])
def curl_is_refused(family):
    run(*on_stack("curl", "-sS", f"http://{bracket(KERNELS[family])}:9/"), expect=7)


@test()
def curl_gives_up_when_nobody_answers():
    run(*on_stack("curl", "-sS", "--connect-timeout", "1", "http://10.9.0.77:80/"), expect=28)


@test()
def curl_takes_the_family_that_answers():  # happy eyeballs (RFC 8305)
    original = random_file(MIB)
    with KernelWeb(original.parent):
        run(*on_stack("curl", "-sS", "--fail", "-o", work() / "got", "--resolve", f"two.example:8000:[fd09::77],{KERNELS[4]}",
                      f"http://two.example:8000/{original.name}"))
    check_same(work() / "got", original)


@test()
def python_serves_and_fetches():
    original = random_file(MIB)
    output = script(f"""
        python3 -m http.server --directory {original.parent} 8000 >/dev/null 2>&1 &
        wait_for 127.0.0.1 8000
        python3 -c "import urllib.request as u, hashlib; print(hashlib.sha256(u.urlopen('http://127.0.0.1:8000/{original.name}').read()).hexdigest())"
        """)
    check(sha256(original) in output, "what arrived differs")


@test()
def busybox_fetches_from_a_static_binary():
    original = random_file(MIB)
    with KernelWeb(original.parent):
        run(*on_stack("busybox", "wget", "-q", "-O", work() / "got", f"http://{KERNELS[4]}:8000/{original.name}"))
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


@test(each=[(4,), (6,)])
def nginx_serves_the_kernel(family):
    original = random_file(16 * MIB)
    with Server(*nginx_command(original.parent), port=80):
        run("curl", "-sS", "--fail", "-o", work() / "got", f"http://{bracket(HOSTS[family])}/{original.name}")
        check_same(work() / "got", original)
        output = run("wrk", "-t", "2", "-c", "20", "-d", "2", f"http://{bracket(HOSTS[family])}/data-{MIB}")
        check("Socket errors" not in output and "Non-2xx" not in output, "not all requests were answered")


@test()
def nginx_serves_wrk_on_the_same_stack():
    words = " ".join(str(word) for word in nginx_command(random_file(MIB).parent))
    output = script(f"{words} & wait_for 127.0.0.1 80; wrk -t 2 -c 20 -d 2 -H 'Connection: close' http://127.0.0.1/data-{MIB}")
    check("Socket errors" not in output and "Non-2xx" not in output, "not all requests were answered")


# ---------------------------------------------------------------- pipes


@test(each=[("nc",), ("ncat",), ("socat",)])
def sends_a_file_to_the_kernel(program):
    original = random_file(4 * MIB)
    commands = {"nc": f"nc -N {KERNELS[4]} 9000", "ncat": f"ncat --send-only {KERNELS[4]} 9000", "socat": f"socat -u - TCP:{KERNELS[4]}:9000"}
    with open(work() / "got", "wb") as out, Program("nc", "-l", "9000", stdout=out) as listener:
        wait_for_kernel_listener(9000)
        run(*on_stack("sh", "-c", f"{commands[program]} < {original}"))
        listener.wait()
    check_same(work() / "got", original)


@test(each=[("nc",), ("ncat",), ("socat",)])
def receives_a_file_on_the_same_stack(program):
    original = random_file(4 * MIB)
    commands = {"nc": "nc -l 9000", "ncat": "ncat -l --recv-only 9000", "socat": "socat -u TCP-LISTEN:9000 -"}
    script(f"""
        {commands[program]} > {work()}/got & P=$!
        for i in $(seq 100); do nc -N 127.0.0.1 9000 < {original} && break; sleep 0.05; done
        wait $P
        """)
    check_same(work() / "got", original)


@test(each=[(4,), (6,)])
def datagrams_keep_their_boundaries_and_addresses(family):
    script(f"""python3 - <<'PYTHON'
import socket
family = socket.AF_INET6 if {family} == 6 else socket.AF_INET
server = socket.socket(family, socket.SOCK_DGRAM)
server.bind(("{LOOPBACK[family]}", 0))
client = socket.socket(family, socket.SOCK_DGRAM)
client.connect(server.getsockname())
for size in (3, 0, 1400, 9000):
    client.send(b"x" * size)
    data, peer = server.recvfrom(65536)
    assert len(data) == size and peer == client.getsockname(), (size, len(data), peer)
    server.sendto(data, peer)
    client.settimeout(5)
    assert len(client.recv(65536)) == size
PYTHON""")


# ---------------------------------------------------------------- measures


@test(timeout=90, each=[("up", ""), ("down", "-R"), ("eight", "-P 8"), ("both", "--bidir"), ("udp", "-u -b 50M")])
def iperf3_client_of_the_kernel(_name, flags):
    with Program("iperf3", "-s", "-1"):
        wait_for_kernel_listener(5201)
        run(*on_stack("iperf3", "-c", KERNELS[4], "-t", "2", *flags.split()))


@test(timeout=90, each=[("up", ""), ("down", "-R"), ("udp", "-u -b 50M")])
def iperf3_server_for_the_kernel(_name, flags):
    with Program(*on_stack("sh", "-c", "iperf3 -s -1; iperf3 -s -1")):
        wait_until(lambda: subprocess.run(["iperf3", "-c", HOSTS[6], "-t", "1", *flags.split()], capture_output=True,
                                          check=False).returncode == 0, "iperf3 on the stack", 30)


@test(timeout=90)
def redis_is_measured_by_the_kernel():
    with Server("redis-server", "--port", "6379", "--save", "", "--protected-mode", "no", port=6379):
        output = run("redis-benchmark", "-h", HOSTS[4], "-q", "-t", "ping,set,get", "-n", "5000", "-c", "20", "-P", "4")
        check(output.count("requests per second") >= 4, "not all was measured")


@test(timeout=90)
def redis_measures_redis_on_the_same_stack():
    script("""
        redis-server --port 6379 --save "" >/dev/null &
        wait_for 127.0.0.1 6379
        redis-benchmark -q -t ping,set -n 5000 -c 20
        test "$(redis-cli -p 6379 incr key)" = 1
        redis-cli -p 1 ping && exit 1 || true
        """)


@test(timeout=90)
def asyncio_serves_a_thousand():
    script("""python3 - <<'PYTHON'
import asyncio
async def answer(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()
async def ask(number, port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"%d\\n" % number)
    line = await reader.readline()
    writer.close()
    return line == b"%d\\n" % number
async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1000)
    port = server.sockets[0].getsockname()[1]
    assert all(await asyncio.gather(*[ask(number, port) for number in range(1000)]))
asyncio.run(main())
PYTHON""")


# ---------------------------------------------------------------- other programs


def make_ssh_keys():
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work() / name)
    shutil.copy(work() / "user.pub", work() / "authorized")
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    return f"/usr/sbin/sshd -f /dev/null -D -e -p 2222 -h {work()}/host -o AuthorizedKeysFile={work()}/authorized -o StrictModes=no " \
           "-o PidFile=none -o Subsystem='sftp internal-sftp'", \
           f"-i {work()}/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"


@test(timeout=120, long=True)
def ssh_and_scp_from_the_kernel():
    original = random_file(100 * MIB)
    server, flags = make_ssh_keys()
    with Server("sh", "-c", "exec " + server, port=2222):
        output = run("sh", "-c", f"ssh {flags} -p 2222 root@{HOSTS[4]} 'echo $SSH_CONNECTION'")
        check(f"{HOSTS[4]} 2222" in output and KERNELS[4] in output, "sshd does not see who is connected")
        run("sh", "-c", f"scp -q {flags} -P 2222 root@{HOSTS[4]}:{original} {work()}/got", timeout=100)
    check_same(work() / "got", original)
    (work() / "got").unlink()


@test(timeout=60)
def ssh_to_itself():
    server, flags = make_ssh_keys()
    output = script(f"{server} & wait_for 127.0.0.1 2222; ssh {flags} -p 2222 root@localhost 'echo over $SSH_CONNECTION'")
    check("over 127.0.0.1" in output or "over ::1" in output, "not that connection")


@test()
def openssl_speaks_tls():
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", work() / "key", "-out", work() / "certificate", "-days", "1",
        "-subj", "/CN=stack.example")
    script(f"""
        openssl s_server -quiet -accept 4433 -key {work()}/key -cert {work()}/certificate -www >/dev/null 2>&1 &
        wait_for 127.0.0.1 4433
        curl -sS --fail --cacert {work()}/certificate --resolve stack.example:4433:127.0.0.1 https://stack.example:4433/ | grep -q Ciphers
        echo | openssl s_client -connect 127.0.0.1:4433 -CAfile {work()}/certificate 2>&1 | grep 'Verify return code: 0'
        """)


@test()
def ping_reaches_the_kernel():
    output = run(*on_stack("ping", "-c", "3", "-i", "0.2", KERNELS[4]))
    check("3 received" in output, "not all came back")


@test()
def nmap_finds_what_is_open():
    with KernelWeb(work()):
        output = run(*on_stack("nmap", "-n", "-sT", "-Pn", "-p", "7990-8010", KERNELS[4]))
    check("8000/tcp open" in output and output.count("closed") == 20, "not what the kernel has open")


@test()
def git_clones_over_http():
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    run(*git, "init", "-q", work() / "origin")
    (work() / "origin" / "file").write_bytes(os.urandom(MIB))
    run(*git, "-C", work() / "origin", "add", "file")
    run(*git, "-C", work() / "origin", "commit", "-q", "-m", "one")
    run("git", "-C", work() / "origin", "update-server-info")
    with KernelWeb(work()):
        run(*on_stack("git", "clone", "-q", f"http://{KERNELS[4]}:8000/origin/.git", work() / "copy"))
    check_same(work() / "copy" / "file", work() / "origin" / "file")


@test()
def rsync_copies_a_tree():
    original = random_file(MIB)
    (work() / "rsync.conf").write_text(f"use chroot = no\n[files]\npath = {original.parent}\nread only = yes\n")
    with Server("rsync", "--daemon", "--no-detach", "--port", "8730", "--config", work() / "rsync.conf", port=8730):
        run("rsync", f"rsync://{HOSTS[4]}:8730/files/{original.name}", work() / "got")
    check_same(work() / "got", original)


# ---------------------------------------------------------------- a bad network


@test(timeout=120, long=True)
def downloads_are_right_on_a_bad_network():
    original = random_file(4 * MIB)
    with KernelWeb(original.parent):
        run(*on_stack("curl", "-sS", "--fail", "-o", work() / "got", f"http://{KERNELS[4]}:8000/{original.name}",
                      flags=["--fault", "loss=2% reorder=2% seed=4"]), timeout=110)
    check_same(work() / "got", original)


# ---------------------------------------------------------------- beginning and end


@test()
def exit_status_is_that_of_the_program():
    run(*on_stack("sh", "-c", "exit 42", device=False), expect=42)
    run(*on_stack("sh", "-c", "kill -TERM $$", device=False), expect=128 + 15)
    run(*on_stack("no-such-program", device=False), expect=127)


@test()
def what_was_written_before_the_end_arrives():
    with open(work() / "got", "wb") as out, Program("nc", "-l", "9000", stdout=out) as listener:
        wait_for_kernel_listener(9000)
        run(*on_stack("python3", "-c", f"import socket; s = socket.create_connection(('{KERNELS[4]}', 9000)); s.sendall(b'x' * {3 * MIB})"))
        listener.wait()
    check(os.path.getsize(work() / "got") == 3 * MIB, "not all arrived")


def processes_of(command):
    """The processes whose command line is this; `transom run` has more in front of it."""
    words = command.replace(" ", "\0") + "\0"
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if (entry / "cmdline").read_bytes().decode(errors="replace") == words:
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


@test()
def nothing_is_left_when_the_supervisor_is_killed():
    with Program(*on_stack("sh", "-c", "sleep 4321 & sleep 4321")) as program:
        wait_until(lambda: len(processes_of("sleep 4321")) >= 2, "the program running")
        program.process.kill()
        program.process.wait()
        wait_until(lambda: not processes_of("sleep 4321"), "the end of the program")
        wait_until(lambda: not os.path.exists("/sys/class/net/tap0"), "the end of the device")


@test()
def nothing_is_left_when_the_program_ends():
    run(*on_stack("sh", "-c", "setsid sleep 4321 & exit 0", device=False))
    check(not processes_of("sleep 4321"), "a process is left")


@test()
def says_so_when_the_device_goes():
    with Program(*on_stack("sleep", "4321")) as program:
        wait_until(lambda: processes_of("sleep 4321"), "the program running")
        run("ip", "link", "del", "tap0")
        program.wait(10, expect=1)
    check(not processes_of("sleep 4321"), "the program is left")


@test()
def interfaces_are_listed_as_the_stack_has_them():
    output = run(*on_stack("ip", "-br", "address"))
    check("10.9.0.2/24" in output and "fd09::2/64" in output, "the stack's addresses are not to be seen")


@test()
def sockets_of_a_program_are_shown():
    output = run(*on_stack("sh", "-c", f"nc -l 7000 & sleep 0.5; {TRANSOM} ss -tl; kill $!", device=False))
    check(":7000" in output, "ss does not show the listener")
