#!/usr/bin/env python3
"""Connections of every kind between two ends, chosen by a seed: for captures of them.

    traffic.py server ADDRESS        answers on port 7000 until its standard input ends
    traffic.py client ADDRESS SEED   some connections, one after the other and some at once

A client says in one line what it wants: `down N`, `up N`, `turns N`, `reset`, `half N`, `slow N`, `tiny N`.
"""

import random
import socket
import struct
import sys
import threading
import time

PORT = 7000
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time


def receive(connection, octets):
    while octets > 0:
        piece = connection.recv(min(octets, 1 << 16))
        if not piece:
            return
        octets -= len(piece)


def serve(connection):
    with connection:
        try:
            line = connection.makefile("rb", buffering=0).readline().split()
            kind, size = line[0], int(line[1])
            if kind in (b"down", b"half", b"slow"):
                connection.sendall(bytes(size))
            elif kind in (b"up", b"tiny"):
                receive(connection, size)
                connection.sendall(b"done")
            elif kind == b"turns":
                for _ in range(size):
                    receive(connection, 100)
                    connection.sendall(bytes(300))
            elif kind == b"reset":
                receive(connection, size // 2)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                return
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass
        except (OSError, IndexError):
            pass


def server(address):
    listener = socket.create_server((address, PORT), backlog=64)
    print("listening", flush=True)

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


def connect_once(address, chance):
    kind = chance.choice(["down", "down", "up", "up", "turns", "reset", "half", "slow", "tiny", "refused"])
    size = {"turns": chance.randint(1, 20), "tiny": chance.randint(1, 200)}.get(kind, int(10 ** chance.uniform(1, 5.7)))
    try:
        with socket.socket() as to:
            to.settimeout(20)
            if kind == "slow":
                to.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, chance.choice([2000, 10000]))
            if chance.random() < 0.3:
                to.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if chance.random() < 0.2:
                to.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                to.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
                to.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
            if chance.random() < 0.2:
                to.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, chance.randint(300, 1400))
            to.connect((address, PORT + 1 if kind == "refused" else PORT))
            to.sendall(f"{kind} {size}\n".encode())
            if kind in ("up", "reset"):
                to.sendall(bytes(size))
            elif kind == "tiny":
                for _ in range(size):
                    to.sendall(b"x")
            elif kind == "turns":
                for _ in range(size):
                    to.sendall(bytes(100))
                    receive(to, 300)
            elif kind == "half":
                to.shutdown(socket.SHUT_WR)
            if kind == "slow":
                time.sleep(chance.uniform(0.3, 1.5))
            if chance.random() < 0.1:
                return  # with octets that nobody reads: a reset
            receive(to, 1 << 30)
    except OSError as error:
        print(kind, size, error, flush=True)


def client(address, seed):
    chance = random.Random(seed)
    several = []
    for _ in range(chance.randint(3, 6)):
        thread = threading.Thread(target=connect_once, args=(address, random.Random(chance.random())), daemon=True)
        thread.start()
        if chance.random() < 0.5:
            several.append(thread)
        else:
            thread.join(25)
    for thread in several:
        thread.join(25)


if __name__ == "__main__":
    if sys.argv[1] == "server":
        server(sys.argv[2])
    else:
        client(sys.argv[2], int(sys.argv[3]))
