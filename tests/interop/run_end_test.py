"""How `transom run` begins and ends, also when somebody is killed: nothing is left, and it says what has happened."""

import os
import re
import signal
import subprocess

from harness import HOSTS, KERNELS, Host, TRANSOM, Program, check, run, test, wait_for_kernel_listener, wait_until, work
from on_stack import MIB, control_sockets, on_stack, processes_of


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


@test()
def interfaces_are_listed_as_the_stack_has_them():
    output = run(*on_stack("ip", "-br", "address"))
    check("10.9.0.2/24" in output and "fd09::2/64" in output, "the stack's addresses are not to be seen")


@test()
def sockets_of_a_program_are_shown():
    """With the process that has each, as within the program's own namespaces."""
    output = run(*on_stack("sh", "-c", f"""
        nc -u -l 7000 & N=$!
        python3 -c 'import socket, os, time; s = socket.create_server(("127.0.0.1", 7001)); os.fork(); time.sleep(1000)' & P=$!
        for i in $(seq 100); do {TRANSOM} ss -tln | grep -q :7001 && {TRANSOM} ss -uln | grep -q :7000 && break; sleep 0.05; done
        nc 127.0.0.1 7001 & C=$!
        for i in $(seq 100); do {TRANSOM} ss -tn | grep -q ESTAB && break; sleep 0.05; done
        echo $N $P $C $(readlink /proc/$C/fd/3); {TRANSOM} ss -tuanpe; kill $N $P $C""", device=False))
    numbers = next(line.split() for line in output.splitlines() if line.endswith("]"))
    shown = {line.split()[0] + line.split()[1]: line for line in output.splitlines() if "users:" in line}
    check(f'users:(("nc",pid={numbers[0]},fd=960))' in shown["udpUNCONN"], "who has the UDP socket is not shown")
    check(re.search(rf'users:\(\("python3",pid={numbers[1]},fd=3\),\("python3",pid=\d+,fd=3\)\)', shown["tcpLISTEN"]),
          "both processes that have the listener are not shown")
    ours = next(line for line in output.splitlines() if f"pid={numbers[2]}," in line)
    check("ESTAB" in ours and f"ino:{re.sub('[^0-9]', '', numbers[3])}" in ours and "uid:0" in ours, "nor its inode")


@test()
def sockets_of_attached_programs_are_shown_as_theirs():
    with Host("--ip", f"{HOSTS[4]}/24", "--serve", "echo=7"), Program(TRANSOM, "run", "--attach", "host", "--", "nc", "-l", "7000") as program:
        wait_until(lambda: ":7000 " in run(TRANSOM, "ss", "--host", "host", "-tln"), "nc listening")
        output = run(TRANSOM, "ss", "--host", "host", "-tlnp")
        theirs = next(line for line in output.splitlines() if ":7000 " in line)
        check('("nc",pid=' in theirs and f"pid={program.process.pid}," not in theirs, "it is not nc's")
        check('("transom",pid=' in next(line for line in output.splitlines() if ":7 " in line), "the host's own is not the host's")


# ---------------------------------------------------------------- killed


def nothing_is_left():
    check(not os.path.exists("/sys/class/net/tap0"), "the device is left")
    check(not list(control_sockets().rglob("*.sock")), "a control socket is left")


def ends_with(program, status):
    """Its output, when it has ended."""
    output, _ = program.communicate(timeout=20)
    print(output, flush=True)
    check(program.returncode == status, f"status {program.returncode}, not {status}")
    return output


def start(*command, **more):
    return subprocess.Popen(on_stack(*command, **more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@test()
def says_that_the_program_was_killed():
    program = start("sleep", "4321")
    wait_until(lambda: processes_of("sleep 4321"), "the program running")
    os.kill(processes_of("sleep 4321")[0], signal.SIGKILL)
    check("was ended by signal 9 (Killed)" in ends_with(program, 128 + 9), "it does not say so")
    nothing_is_left()


@test()
def reading_fails_when_the_peer_is_killed():
    script = f"""
import socket
s = socket.create_connection(("{KERNELS[4]}", 9000))
s.sendall(b"x" * 100000)  # which the peer leaves unread
print("sent", flush=True)
try:
    print("read", s.recv(1))
except OSError as error:
    print(error)
"""
    with Program("python3", "-c", "import socket as s; l = s.create_server(('0.0.0.0', 9000)); c = l.accept(); import time; time.sleep(1000)") as peer:
        wait_for_kernel_listener(9000)
        program = start("python3", "-c", script)
        check(program.stdout.readline() == "sent\n", "nothing was sent")
        wait_until(lambda: any(int(line.split()[1]) > 0 for line in run("ss", "-Htn").splitlines() if ":9000 " in line), "octets that wait unread")
        peer.process.kill()
        check("Connection reset by peer" in ends_with(program, 0), "the reset is not seen")
    nothing_is_left()


@test()
def nothing_is_left_when_the_supervisor_is_killed():
    with Program(*on_stack("sh", "-c", "sleep 4321 & sleep 4321")) as program:
        wait_until(lambda: len(processes_of("sleep 4321")) >= 2, "the program running")
        program.process.kill()
        program.process.wait()
        wait_until(lambda: not processes_of("sleep 4321"), "the end of the program")
        wait_until(lambda: not os.path.exists("/sys/class/net/tap0"), "the end of the device")
    # Its control socket is left, for nobody could remove it; the next host of that name does.
    run(*on_stack("true", device=False))
    check(not list(control_sockets().rglob("*.sock")), "a control socket is left")


@test()
def nothing_is_left_when_the_program_ends():
    run(*on_stack("sh", "-c", "setsid sleep 4321 & exit 0", device=False))
    check(not processes_of("sleep 4321"), "a process is left")


@test()
def says_so_when_the_device_goes():
    program = start("sleep", "4321")
    wait_until(lambda: processes_of("sleep 4321"), "the program running")
    run("ip", "link", "del", "tap0")
    check("tap0" in ends_with(program, 1), "it does not say what has happened")
    check(not processes_of("sleep 4321"), "the program is left")
    nothing_is_left()
