"""Transfers over a bad link: complete and equal."""

from harness import Host, check, check_same, random_file, run, test, url, work

MIB = 1 << 20
FAULTS = {"loss": "loss=5%", "reorder": "reorder=5%", "dup": "dup=1%", "corrupt": "corrupt=1%",
          "all": "loss=5% reorder=5% dup=1% corrupt=1%"}
# A turned bit makes a bad checksum; or, in a header that no checksum covers, a packet that makes no sense.
PROVOKED = {"corrupt": ["."], "all": ["."]}


def register(fault):
    @test(timeout=240, long=True, provokes=PROVOKED.get(fault, []), each=[(fault, 4), (fault, 6)])
    def transfers(name, family):
        original = random_file(32 * MIB)
        (work() / "uploads").mkdir()
        with Host("--serve", f"http=80:{original.parent}", "--uploads", work() / "uploads", "--fault", f"{FAULTS[name]} seed=7",
                  snap=128) as host:
            run("curl", "-sS", "--fail", "-w", "%{speed_download} octets/s\n", "-o", work() / "down", url(family, "/" + original.name),
                timeout=110)
            check_same(work() / "down", original)
            run("curl", "-sS", "--fail", "-w", "%{speed_upload} octets/s\n", "-T", original, url(family, "/up"), timeout=110)
            check_same(work() / "uploads" / "up", original)
            if name in ("loss", "all"):
                check(host.counter("TcpRetransSegs") > 0, "the link lost nothing")
        (work() / "uploads" / "up").unlink()
        (work() / "down").unlink()
    return transfers


for each_fault in FAULTS:
    register(each_fault)
