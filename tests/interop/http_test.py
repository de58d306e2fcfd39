"""curl and wrk against the http service."""

import concurrent.futures
import os
import re
import socket
import subprocess
import time

from harness import Host, HOSTS, check, check_same, random_file, run, sha256, test, url, work

MIB = 1 << 20


@test(timeout=180, long=True, each=[(4,), (6,)])
def downloads_one_gibibyte(family):
    original = random_file(1024 * MIB)
    # Too much to capture; what a capture shows is in the transfers with faults.
    with Host("--serve", f"http=80:{original.parent}", capture=False):
        curl = subprocess.Popen(["curl", "-sS", "--fail", "-w", "%{stderr}%{speed_download} octets/s\n", url(family, "/" + original.name)],
                                stdout=subprocess.PIPE)
        received = subprocess.run(["sha256sum"], stdin=curl.stdout, capture_output=True, text=True, check=True).stdout.split()[0]
        check(curl.wait() == 0, f"curl ended with status {curl.returncode}")
        check(received == sha256(original), "what arrived differs")


@test(timeout=120, long=True, each=[(4,), (6,)])
def uploads_256_mebibytes(family):
    original = random_file(256 * MIB)
    (work() / "uploads").mkdir()
    with Host("--serve", "http=80", "--uploads", work() / "uploads", capture=False):
        run("curl", "-sS", "--fail", "-w", "%{speed_upload} octets/s\n", "-T", original, url(family, "/up"), timeout=100)
        check_same(work() / "uploads" / "up", original)
    (work() / "uploads" / "up").unlink()


@test(timeout=120, long=True)
def a_thousand_in_a_row():
    with Host("--serve", "http=80", snap=200) as host:
        for number in range(1000):
            done = subprocess.run(["curl", "-sS", "--fail", "-o", "/dev/null", url(4 if number % 2 else 6)], capture_output=True, check=False)
            check(done.returncode == 0, f"request {number}: {done.stderr.decode()}")
        check(host.counter("TcpPassiveOpens") == 1000, "not a connection for each")


@test()
def two_hundred_at_once():
    original = random_file(MIB)
    with Host("--serve", f"http=80:{original.parent}", snap=200):
        def fetch(number):
            out = work() / f"got{number}"
            done = subprocess.run(["curl", "-sS", "--fail", "-o", out, url(4 if number % 2 else 6, "/" + original.name)],
                                  capture_output=True, check=False)
            check(done.returncode == 0, f"request {number}: {done.stderr.decode()}")
            check_same(out, original)
            out.unlink()
        with concurrent.futures.ThreadPoolExecutor(200) as pool:
            list(pool.map(fetch, range(200)))


@test(timeout=60)
def wrk_for_ten_seconds():
    with Host("--serve", "http=80", capture=False):
        output = run("wrk", "-t1", "-c50", "-d10", url(4))
        check("Socket errors" not in output and "Non-2xx" not in output, "wrk saw errors")
        requests = re.search(r"(\d+) requests in", output)
        check(requests is not None and int(requests[1]) > 1000, "too few requests were answered")


@test()
def answers_ranges_head_and_directories():
    directory = work() / "files"
    (directory / "sub").mkdir(parents=True)
    (directory / "ten").write_text("0123456789")
    (directory / "sub" / "index.html").write_text("the index")
    with Host("--serve", f"http=80:{directory}"):
        check(run("curl", "-sS", "-r", "2-4", url(4, "/ten")) == "234", "a range from the middle")
        check(run("curl", "-sS", "-r", "-3", url(6, "/ten")) == "789", "the last three")
        check(" 416 " in run("curl", "-sSi", "-r", "10-", url(4, "/ten")), "a range behind the end")
        head = run("curl", "-sSI", url(4, "/ten"))
        check("200 OK" in head and "Content-Length: 10" in head, "HEAD")
        check("ten" in run("curl", "-sS", url(4)), "the list of a directory")
        check(run("curl", "-sSL", url(4, "/sub")) == "the index", "the index of a directory")
        check(" 404 " in run("curl", "-sSi", url(4, "/nothing")), "a file that is not there")
        # Two requests on one connection.
        output = run("curl", "-sSv", url(4, "/ten"), url(4, "/ten"))
        check("Re-using existing connection" in output, "the connection was not kept")


@test()
def takes_uploads_and_shows_them():
    with Host("--serve", "http=80"):
        (work() / "in").write_text("uploaded")
        check(" 201 " in run("curl", "-sSi", "-T", work() / "in", url(4, "/a/b/in")), "PUT")
        check(run("curl", "-sS", url(4, "/a/b/in")) == "uploaded", "GET of what was PUT")
        check(" 201 " in run("curl", "-sSi", "-H", "Transfer-Encoding: chunked", "-T", work() / "in", url(4, "/chunked")), "chunked PUT")
        check(run("curl", "-sS", url(4, "/chunked")) == "uploaded", "GET of what came in chunks")


@test()
def refuses_to_leave_the_directory():
    directory = work() / "files"
    directory.mkdir()
    (work() / "secret").write_text("secret")
    (directory / "link").symlink_to(work() / "secret")
    with Host("--serve", f"http=80:{directory}"):
        for path in ("/../secret", "/%2e%2e/secret", "/./secret", "//secret", "/link", "/..%2fsecret"):
            output = run("curl", "-sSi", "--path-as-is", url(4, path))
            check(re.search(r" 40[34] ", output) and "\nsecret" not in output, f"{path} was served")
        output = run("curl", "-sSi", "--path-as-is", "-T", directory / "link", url(4, "/../stolen"))
        check(" 403 " in output and not (work() / "stolen").exists(), "an upload left the directory")


@test()
def survives_bad_requests():
    with Host("--serve", "http=80"):
        for request in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"G\x00T / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nbad line\r\n\r\n",
                        b"PUT /x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"A" * 100000,
                        b"PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
            with socket.create_connection((HOSTS[4], 80), timeout=5) as connection:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(4096)
                check(not answer or re.match(rb"HTTP/1\.1 [45]\d\d ", answer), f"{request[:40]} was answered with {answer[:40]}")
        run("curl", "-sS", "--fail", url(4))


@test(timeout=60)
def idle_connection_survives_with_keep_alive():
    with Host("--serve", "http=80") as host, socket.create_connection((HOSTS[4], 80), timeout=5) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
            connection.setsockopt(socket.IPPROTO_TCP, option, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
        time.sleep(6)  # longer than it would live unanswered
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        check(connection.recv(100).startswith(b"HTTP/1.1 200"), "the connection is dead")
        check([socket["state"] for socket in host.show("ss", "-t")] == ["ESTAB"], "the host has another idea of it")
