"""Programs that live on the host of another process (`transom run --attach`), and programs whose calls a preloaded library catches
(`transom run --preload`)."""

import subprocess

from harness import HOSTS, KERNELS, TRANSOM, Host, Program, check, check_same, random_file, run, test, wait_until, work
from on_stack import MIB, KernelWeb, Server, on_stack, processes_of, script

ADDRESSES = ["--ip", f"{HOSTS[4]}/24", "--ip", f"{HOSTS[6]}/64"]


def attached(*command):
    return [str(TRANSOM), "run", "--attach", "host", "--", *[str(word) for word in command]]


def listens(port):
    return f":{port} " in subprocess.run([str(TRANSOM), "ss", "--host", "host", "-tln"], capture_output=True, text=True, check=True).stdout


@test()
def programs_share_a_host_and_its_ports():
    original = random_file(MIB)
    with Host(*ADDRESSES), Program(*attached("python3", "-m", "http.server", "--directory", original.parent, "8000")):
        wait_until(lambda: listens(8000), "the server listening")
        run("curl", "-sS", "--fail", "-o", work() / "by-kernel", f"http://{HOSTS[4]}:8000/{original.name}")
        run(*attached("curl", "-sS", "--fail", "-o", work() / "by-other", f"http://{HOSTS[4]}:8000/{original.name}"))
        output = run(*attached("python3", "-c", "import socket; socket.create_server(('', 8000))"), expect=1)
        check("Address already in use" in output, "the port is not shared")
        output = run(*attached("ip", "-br", "address"))
        check(f"{HOSTS[4]}/24" in output, "the host's addresses are not to be seen")
    check_same(work() / "by-kernel", original)
    check_same(work() / "by-other", original)


@test()
def a_host_goes_on_when_a_program_has_ended():
    with Host(*ADDRESSES):
        for _ in range(3):
            run(*attached("sh", "-c", "nc -l 9000 & sleep 0.2; exit 3"), expect=3)
            wait_until(lambda: not listens(9000), "its sockets closed")


@test()
def programs_end_when_their_host_is_killed():
    with Program(TRANSOM, "up", "--tap", "tap0", *ADDRESSES, "--name", "host") as host:
        wait_until(lambda: subprocess.run([TRANSOM, "ss", "--host", "host"], capture_output=True, check=False).returncode == 0, "the host")
        program = subprocess.Popen(attached("sh", "-c", "sleep 4321 & sleep 4321"), stderr=subprocess.PIPE, text=True)
        wait_until(lambda: len(processes_of("sleep 4321")) == 2, "the program running")
        host.process.kill()
        _, said = program.communicate(timeout=20)
    check(program.returncode == 1 and "the host 'host' has ended" in said, f"status {program.returncode}: {said}")
    wait_until(lambda: not processes_of("sleep 4321"), "the end of the program")


@test()
def there_must_be_a_host_to_attach_to():
    output = run(TRANSOM, "run", "--attach", "nobody", "--", "true", expect=1)
    check("no host answers" in output, "it does not say so")
    output = run(TRANSOM, "run", "--attach", "nobody", "--tap", "tap0", "--", "true", expect=2)
    check("--attach" in output, "it does not say so")


# ---------------------------------------------------------------- preload

PRELOAD = ["--preload"]


@test()
def a_preloaded_client_and_server():
    original = random_file(MIB)
    with KernelWeb(original.parent):
        run(*on_stack("curl", "-sS", "--fail", "-o", work() / "got", f"http://{KERNELS[4]}:8000/{original.name}", flags=PRELOAD))
    check_same(work() / "got", original)
    with Server("python3", "-m", "http.server", "--directory", original.parent, "8001", port=8001, flags=PRELOAD):
        run("curl", "-sS", "--fail", "-o", work() / "served", f"http://{HOSTS[4]}:8001/{original.name}")
    check_same(work() / "served", original)


@test()
def preloaded_programs_on_the_loopback():
    script("""
        redis-server --port 6379 --save "" >/dev/null &
        wait_for 127.0.0.1 6379
        redis-benchmark -q -t ping,set -n 2000 -c 20
        redis-cli -p 1 ping && exit 1 || true
        python3 - <<'PYTHON'
import socket
server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
server.bind(("::1", 0))
client = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
client.sendto(b"question", server.getsockname())
data, peer = server.recvfrom(100)
server.sendto(data, peer)
assert client.recvfrom(100)[0] == b"question"
first, second = socket.socket(), socket.socket()
assert second.fileno() == first.fileno() + 1
PYTHON
        """, flags=PRELOAD)


@test()
def static_programs_are_refused_with_a_reason():
    output = run(*on_stack("busybox", "true", device=False, flags=PRELOAD), expect=2)
    check("statically linked" in output, "it does not say why")
