"""Unmodified programs on the stack: `transom run`. With a device the kernel is the other side; without one both ends are on the stack,
over its loopback interface."""

from harness import HOSTS, KERNELS, Program, check, check_same, random_file, run, sha256, test, wait_for_kernel_listener, work
from on_stack import LOOPBACK, MIB, KernelWeb, Server, on_stack, script
from programs import BAD_NETWORK, KIB, bracket, make_ssh_keys, nginx_command

NETWORKS = {"good": [], "bad": BAD_NETWORK}

# ---------------------------------------------------------------- http


def download_one_gibibyte(family):
    original = random_file(1024 * MIB)
    with KernelWeb(original.parent):
        output = run(*on_stack("sh", "-c", f"curl -sS --fail http://{bracket(KERNELS[family])}:8000/{original.name} | sha256sum"), timeout=170)
    check(sha256(original) in output, "what arrived differs")


@test(timeout=180, long=True)
def curl_downloads_one_gibibyte():
    download_one_gibibyte(4)


@test(timeout=180, minutes=True)
def curl_downloads_one_gibibyte_over_ipv6():
    download_one_gibibyte(6)


@test(timeout=90, each=[("good", 4), ("bad", 4), ("good", 6)])
def curl_goes_on_where_it_was_cut_off(network, family):
    original = random_file((16 if network == "good" else 6) * MIB)
    def got(name):
        with open(original, "rb") as source, open(work() / name, "wb") as part:
            part.write(source.read(5 * MIB))
        return ["curl", "-sS", "--fail", "-C", "-", "-o", work() / name]

    with Server(*nginx_command(original.parent), port=80, flags=NETWORKS[network]):
        run(*got("from-stack"), f"http://{bracket(HOSTS[family])}/{original.name}")
    with Program(*nginx_command(original.parent)):
        wait_for_kernel_listener(80)
        run(*on_stack(*got("to-stack"), f"http://{bracket(KERNELS[family])}/{original.name}", flags=NETWORKS[network]))
    for name in ("from-stack", "to-stack"):
        check_same(work() / name, original)


@test(timeout=90, each=[("good", 4), ("bad", 4), ("good", 6)])
def a_hundred_curls_at_once(network, family):
    original = random_file(MIB if network == "good" else 64 * KIB)
    with KernelWeb(original.parent):
        run(*on_stack("curl", "-sS", "--fail", "--parallel", "--parallel-max", "100",
                      *[word for number in range(100) for word in ("-o", work() / f"got{number}",
                                                                   f"http://{bracket(KERNELS[family])}:8000/{original.name}")],
                      flags=NETWORKS[network]))
    for number in range(100):
        check_same(work() / f"got{number}", original)
        (work() / f"got{number}").unlink()


@test(each=[(4,), (6,)])
def curl_is_refused(family):
    run(*on_stack("curl", "-sS", f"http://{bracket(KERNELS[family])}:9/"), expect=7)


@test(each=[("10.9.0.77",), ("[fd09::77]",)])
def curl_gives_up_when_nobody_answers(nobody):
    run(*on_stack("curl", "-sS", "--connect-timeout", "1", f"http://{nobody}:80/"), expect=28)


@test(each=[("good", 4), ("bad", 4), ("good", 6)])
def curl_takes_the_family_that_answers(network, family):  # happy eyeballs (RFC 8305)
    original = random_file(MIB)
    addresses = f"[fd09::77],{KERNELS[4]}" if family == 4 else f"10.9.0.77,[{KERNELS[6]}]"
    with KernelWeb(original.parent):
        run(*on_stack("curl", "-sS", "--fail", "-o", work() / "got", "--resolve", f"two.example:8000:{addresses}",
                      f"http://two.example:8000/{original.name}", flags=NETWORKS[network]))
    check_same(work() / "got", original)


@test()
def nginx_serves_wrk_on_the_same_stack():
    words = " ".join(str(word) for word in nginx_command(random_file(MIB).parent))
    output = script(f"{words} & wait_for 127.0.0.1 80; wrk -t 2 -c 20 -d 2 -H 'Connection: close' http://127.0.0.1/data-{MIB}")
    check("Socket errors" not in output and "Non-2xx" not in output, "not all requests were answered")


# ---------------------------------------------------------------- pipes


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


@test(each=[("",), ("--preload",)])
def a_closed_port_refuses_datagrams(flag):
    script(f"""
        if nc -u -z -v 127.0.0.1 9; then exit 1; fi
        (dig +tries=1 @127.0.0.1 -p 77 example.com || true) | grep 'connection refused'
        python3 - <<'PYTHON'
import select, socket
def refused(call, *arguments):
    try:
        call(*arguments)
    except ConnectionRefusedError:
        return True
    return False
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.connect(("127.0.0.1", 9))
client.settimeout(5)
for receive in (client.recv, client.recvfrom, client.recvmsg):
    client.send(b"a")
    assert refused(receive, 100), receive
client.send(b"a")
assert select.select([client], [], [], 5)[0] and refused(client.send, b"a")
if {not flag}:
    client.send(b"a")
    assert refused(client.dup().recv, 100)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 9))
client.send(b"once it is there")
assert server.recv(100) == b"once it is there"
PYTHON""", [flag] if flag else [])


# ---------------------------------------------------------------- measures


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
