"""Programs that everybody has, between two kernels; and the project's own stack as one end."""

import contextlib
import os
import pathlib
import subprocess
import tempfile
import time

import files
from case import case
from lab import text

BUILD = pathlib.Path(os.environ.get("TRANSOM_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build" / "release"))
TRANSOM = BUILD / "bin" / "transom"
NGINX = """daemon off; pid {0}/pid; error_log {0}/errors; events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/fast; uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;
  server {{ listen 80; listen [::]:80; root {0}/www; }} }}
"""


@contextlib.contextmanager
def nginx(lab):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        os.mkdir(f"{folder}/www")
        pathlib.Path(folder, "www", "index.html").write_text("<p>The window is open.</p>\n", encoding="ascii")
        pathlib.Path(folder, "www", "page").write_bytes(text(5000))
        pathlib.Path(folder, "configuration").write_text(("user root;\n" if os.geteuid() == 0 else "") + NGINX.format(folder), encoding="ascii")
        server = lab.server.start("nginx", "-c", f"{folder}/configuration", "-e", f"{folder}/errors")
        wait_for_listener(lab, 80)
        yield
        server.terminate()
        server.wait(5)


def wait_for_listener(lab, port):
    for _ in range(200):
        if f":{port} " in lab.server.run("ss", "-Hntl"):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nobody listens on port {port}")


@case("curl-http", kernel="both", stack="client")
def curl_http(lab):
    """curl fetches a small page from nginx."""
    with nginx(lab):
        lab.client.run("curl", "-s", "http://192.0.2.2/")


@case("curl-http-server", kernel="both", stack="server", at="server")
def curl_http_server(lab):
    """The same seen by nginx's host, over IPv6, with a page of 5000 octets."""
    with nginx(lab):
        lab.client.run("curl", "-s", "http://[2001:db8:1::2]/page")


@case("curl-keep-alive", kernel="both", stack="client", form="input.pcapng.gz")
def curl_keep_alive(lab):
    """curl fetches three pages over one connection; one of them does not exist."""
    with nginx(lab):
        lab.client.run("curl", "-s", "http://192.0.2.2/", "http://192.0.2.2/nothing", "http://192.0.2.2/page")


@case("python-http", kernel="both", stack="client")
def python_http(lab):
    """Python's http.server answers Python's urllib."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "page").write_bytes(text(3000))
        lab.server.start("python3", "-m", "http.server", "-d", folder, "-b", "192.0.2.2", "8000")
        wait_for_listener(lab, 8000)
        lab.client.run("python3", "-c", "import urllib.request as r; assert len(r.urlopen('http://192.0.2.2:8000/page').read()) == 3000")


@case("nc", kernel="both", stack="client")
def netcat(lab):
    """nc sends a line, and gets one."""
    server = lab.server.start("nc", "-l", "192.0.2.2", "7000", stdin=subprocess.PIPE)
    wait_for_listener(lab, 7000)
    server.stdin.write(b"from the server\n")
    server.stdin.close()
    lab.client.run("nc", "-N", "192.0.2.2", "7000", stdin=b"from the client\n")
    server.wait(10)


@case("ssh", kernel="both", stack="client", form="input.pcapng.zst")
def ssh(lab):
    """ssh logs in and runs a command: key exchange, small packets both ways."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{name}"], check=True)
        os.makedirs("/run/sshd", exist_ok=True)
        os.chmod(folder, 0o700)
        lab.server.start("/usr/sbin/sshd", "-D", "-f", "/dev/null", "-p", "2222", "-h", f"{folder}/host", "-o", f"AuthorizedKeysFile={folder}/user.pub",
                         "-o", "StrictModes=no", "-o", "UsePAM=no", "-o", "PidFile=none", "-o", "ListenAddress=192.0.2.2")
        wait_for_listener(lab, 2222)
        lab.client.run("ssh", "-F", "none", "-p", "2222", "-i", f"{folder}/user", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                       "-o", "LogLevel=ERROR", f"{os.environ.get('USER') or 'root'}@192.0.2.2", "true")


@case("iperf3", kernel="both", stack="client", form="input.pcapng.zst")
def iperf3(lab):
    """iperf3 sends 150 kB: a control connection and one of data."""
    server = lab.server.start("iperf3", "-s", "-1", "-B", "192.0.2.2")
    wait_for_listener(lab, 5201)
    lab.client.run("iperf3", "-c", "192.0.2.2", "-n", "150K", "-l", "10K", "--repeating-payload", "-b", "10M")
    server.wait(10)


@case("cooked-any", kernel="both", form="input.pcap")
def cooked_any(lab):
    """What tcpdump -i any writes of the client: Linux cooked capture, version 2; a connection over IPv4 and a ping over IPv6."""
    return with_tcpdump(lab, "-y", "LINUX_SLL2")


@case("cooked-v1", kernel="both", form="input.pcap")
def cooked_v1(lab):
    """The same in version 1 of the format."""
    return with_tcpdump(lab, "-y", "LINUX_SLL")


def with_tcpdump(lab, *flags):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/file"
        tcpdump = lab.client.start("tcpdump", "-i", "any", "-U", "-w", path, *flags, "tcp or (icmp6 and ip6[40] >= 128 and ip6[40] <= 129)")
        time.sleep(0.8)
        near, far = lab.pair()
        near.sendall(b"hello")
        near.close()
        far.recv(100)
        far.close()
        lab.client.run("ping", "-c", "1", lab.address(6))
        time.sleep(0.5)
        tcpdump.terminate()
        tcpdump.wait()
        return pathlib.Path(path).read_bytes()


# ---------------------------------------------------------------- this project's stack

def with_transom(*words, command):
    """What `transom up` captures of a command run as its kernel neighbour."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        pathlib.Path(folder, "page").write_bytes(text(6000))
        path = f"{folder}/file.pcap"
        flags = [word.replace("FOLDER", folder) for word in words]
        done = subprocess.run([str(TRANSOM), "up", "--pcap", path, *flags, "--", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stdout.decode(errors="replace"))
        frames, _ = files.read_pcap(path)
        return [frame for frame in frames if not is_report(frame.octets)]


def is_report(frame):
    from lab import is_noise
    from packets import Packet
    return is_noise(Packet(frame))


@case("transom-http", kernel="client", stack="server", lab=False, form="input.pcap")
def transom_http():
    """curl on the kernel fetches a page of 6000 octets from this project's stack."""
    return with_transom("--serve", "http=80:FOLDER", "--seed", "1", command=["curl", "-s", "-o", "/dev/null", "http://10.9.0.2/page"])


@case("transom-http-loss", kernel="client", stack="server", lab=False, form="input.pcap.gz")
def transom_http_loss():
    """The same with a loss of one frame in twelve on both ways."""
    return with_transom("--serve", "http=80:FOLDER", "--seed", "1", "--fault", "loss=8% seed=4", command=["curl", "-s", "-o", "/dev/null", "http://10.9.0.2/page"])


@case("transom-http-ipv6", kernel="client", stack="server", lab=False, form="input.pcap")
def transom_http_ipv6():
    """The same without loss, over IPv6."""
    return with_transom("--serve", "http=80:FOLDER", "--seed", "1", command=["curl", "-s", "-o", "/dev/null", "http://[fd09::2]/page"])
