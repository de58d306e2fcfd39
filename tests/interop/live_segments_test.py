"""transom replay --role client and server: recorded segments that are not whole packets, and what ICMP says of them."""

import shutil

from harness import HOSTS, KERNELS, ROOT, TRANSOM, Skipped, check, run, test, work
from recording import FAR, IN_FAR, fields, in_fragments, record

CAPTURES = ROOT / "captures"
PAGE = bytes(33 + index % 90 for index in range(1100))


def replay(capture, *flags, expect=0):
    return run(TRANSOM, "replay", capture, *flags, expect=expect)


@test()
def a_server_that_was_recorded_in_fragments_is_played_in_the_same_ones():
    directory, whole, seen = work() / "pages", work() / "whole.pcap", work() / "seen.pcap"
    directory.mkdir()
    (directory / "page").write_bytes(PAGE)
    get = ["curl", "-sS", "-o", work() / "got", f"http://{HOSTS[4]}/page"]
    run(TRANSOM, "up", "--tap", "tap0", "--no-offload", "--serve", f"http=80:{directory}", "--pcap", whole, "--", *get)
    capture = in_fragments(whole, 400)
    fragments = "ip.proto == 6 && (ip.flags.mf == 1 || ip.frag_offset > 0)"
    recorded = fields(capture, fragments, "ip.frag_offset")
    check(len(recorded) == 4, f"{len(recorded)} fragments")
    (work() / "got").unlink()
    told = replay(capture, "--role", "server", "--tap", "tap0", "--fidelity", "exact", "--pcap", seen, "--", *get)
    check("octets from the peer: equal" in told and "verdict: done" in told, "the streams are not equal")
    check((work() / "got").read_bytes() == PAGE, "curl got something else")
    now = fields(seen, fragments, "ip.frag_offset")
    check(now == recorded, f"cut at {now}, recorded at {recorded}")
    told = replay(capture, "--role", "server", "--tap", "tap0", "--pcap", seen, "--", *get)
    check("verdict: done" in told and not fields(seen, fragments), "it is not whole")
    for stack in ("server", "client"):
        told = replay(capture, "--as", stack)
        check("verdict: legal" in told, "fed, the fragments are not one segment")


@test()
def a_recorded_icmp_error_about_a_segment_is_believed_by_the_live_kernel():
    if shutil.which("nc") is None:
        raise Skipped("nc is not installed")
    script = f"head -c 8000 /dev/zero | nc -N {HOSTS[4]} 80; ip route get {HOSTS[4]}"
    told = replay(CAPTURES / "tcp-pmtud-ipv4" / "input.pcapng", "--role", "server", "--tap", "tap0", "--fail-on", "violation", "--", "sh", "-c", script,
                  expect=None)
    check("mtu 700" in told, "the kernel does not take the recorded MTU for that of the way")
    check("octets from the peer: NOT equal (8000 of 8000)" in told and "done; sent" in told, "not all has come")


@test()
def a_recorded_refusal_is_played_at_the_live_kernel():
    told = replay(CAPTURES / "tcp-refused-ipv4" / "input.pcapng", "--role", "server", "--tap", "tap0", "--", "sh", "-c",
                  f"! nc -w 5 {HOSTS[4]} 81")
    check("verdict: done" in told, "it is not as it was")


@test()
def a_recorded_client_whose_port_is_still_closed_is_refused_as_it_was():
    told = replay(CAPTURES / "tcp-refused-ipv4" / "input.pcapng", "--role", "client", "--tap", "tap0", "--peer", KERNELS[4])
    check("verdict: done" in told, "it is not as it was")


@test()
def a_recorded_refusal_by_icmp_is_played_from_both_ends():
    if shutil.which("nft") is None or shutil.which("nc") is None:
        raise Skipped("nft or nc is not installed")
    rules = work() / "rules"
    rules.write_text("table ip t { chain c { type filter hook input priority 0; tcp dport 99 reject with icmp type port-unreachable; }; }")

    def refused():
        run(*IN_FAR, "nft", "-f", rules)
        run("nc", "-w", "5", FAR[4], "99", expect=1)

    capture, seen = record(refused), work() / "seen.pcap"
    told = replay(capture, "--role", "server", "--tap", "tap0", "--pcap", seen, "--", "sh", "-c", f"! nc -w 5 {HOSTS[4]} 99")
    check("verdict: done" in told, "the server's end is not as it was")
    check(fields(seen, f"icmp.type == 3 && icmp.code == 3 && ip.src == {HOSTS[4]}"), "no error went")
    check(not fields(seen, f"tcp.flags.reset == 1 && ip.src == {HOSTS[4]}"), "a reset went, too")
    run("nft", "-f", rules)
    told = replay(capture, "--role", "client", "--tap", "tap0", "--peer", KERNELS[4])
    check("verdict: done" in told, "the client's end is not as it was")
