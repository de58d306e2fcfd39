"""Many connections at once, under `transom run` and through the C API, and what one costs."""

import subprocess

from harness import BUILD, HOSTS, TRANSOM, Program, Skipped, check, run, test, wait_until
from on_stack import on_stack

COUNT = 10000

# Holds all connections open at once; both sides send a line and get it back. Says when all are there, and goes on for each line of input.
SERVER = """
import asyncio, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
async def answer(reader, writer):
    while line := await reader.readline():
        writer.write(line)
    writer.close()
async def main():
    async with await asyncio.start_server(answer, None, 7000, backlog=4096) as server:
        await server.serve_forever()
asyncio.run(main())
"""
CLIENT = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
connections = []
for number in range(int(sys.argv[2])):
    connections.append(socket.create_connection((sys.argv[1], 7000), 30))
for number, connection in enumerate(connections):
    connection.sendall(b"%d\\n" % number)
for number, connection in enumerate(connections):
    assert connection.recv(100) == b"%d\\n" % number
print("all answered", flush=True)
sys.stdin.readline()
"""


def resident(process):
    """Octets."""
    with open(f"/proc/{process}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


@test(timeout=120, long=True)
def ten_thousand_connections_to_a_server():
    with Program(*on_stack("python3", "-c", SERVER)) as server:
        listening = [str(TRANSOM), "ss", "--host", "host", "-tln"]
        wait_until(lambda: ":7000 " in subprocess.run(listening, capture_output=True, text=True, check=False).stdout, "the server listening")
        before = resident(server.process.pid)
        client = subprocess.Popen(["python3", "-c", CLIENT, HOSTS[4], str(COUNT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        check(client.stdout.readline() == "all answered\n", "not all connections were answered")
        each = (resident(server.process.pid) - before) / COUNT
        print(f"{COUNT} connections, {each:.0f} octets of the supervisor's memory for each")
        check(each < 32768, f"{each:.0f} octets for each connection")
        client.communicate("\n")


@test(timeout=120, long=True)
def a_hundred_thousand_connections_through_the_c_api():
    bench = BUILD / "bin" / "many_connections"
    if not bench.exists():
        raise Skipped("many_connections is not built")
    output = run(bench, "100000")
    check("100000 connections" in output and int(output.split()[2]) < 16384, "they cost too much")
