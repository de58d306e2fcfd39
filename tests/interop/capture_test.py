"""Captures read, shown, checked and changed: transom dump, check-capture, rewrite and scrub beside tcpdump, tshark and editcap."""

import gzip
import json
import os
import re
import subprocess

from harness import HOSTS, KERNELS, ROOT, TRANSOM, Host, check, run, test, work

COLLECTION = ROOT / "captures"

# What tcpdump prints of what TCP carries.
PAYLOAD = re.compile(r"(Flags \[.*?, length \d+)[: ].*")
# The further records of DNS, which -vv shows there.
RECORDS = re.compile(r" (ns|ar): .*(?= \(\d+\)$)")
# libpcap takes one link type only; of these captures some packets are malformed on purpose, and tcpdump and we give up at other places.
OTHER_LINK_TYPES = ("cooked-any", "cooked-v1", "capture-truncated-file", "capture-two-link-types", "capture-null-loop", "capture-raw-ip")
MALFORMED = ("attack-ipv6-headers", "attack-ndp-poison", "attack-fragments", "attack-fragments-ipv6", "attack-bad-options", "attack-arp-poison")


def files():
    """Where this test's captures go: apart from those that the harness looks through for malformed packets."""
    directory = work() / "files"
    directory.mkdir(exist_ok=True)
    return directory


def transom(*words, expect=0):
    """Runs a subcommand; returns its standard output."""
    command = [str(TRANSOM)] + [str(word) for word in words]
    print("$", " ".join(command), flush=True)
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    check(done.returncode == expect, f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


def collection(kind="*"):
    return sorted(COLLECTION.glob(f"{kind}/input.pcap*"))


def ethernet_of_the_collection():
    """All captures of one link type that libpcap takes too, in one file."""
    path = files() / "all.pcap"
    # Not every mergecap unpacks zstd.
    parts = [file for file in collection() if file.parent.name not in OTHER_LINK_TYPES + MALFORMED and file.suffix != ".zst"]
    done = subprocess.run(["mergecap", "-a", "-F", "nsecpcap", "-w", str(path)] + parts, capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"mergecap: {done.stderr}")
    return path


@test()
def dump_prints_the_lines_of_tcpdump():
    """Every packet of the collection, with every flag that changes what is printed."""
    path = ethernet_of_the_collection()
    for flags in ([], ["-v"], ["-vv", "-e"], ["-XX"], ["-A", "-tt"], ["-xS", "-tttt"], ["-#", "-ttt"], ["-t", "-e", "--nano"], ["udp", "or", "icmp6"]):
        outputs = []
        for command in (["tcpdump", "-n"], [str(TRANSOM), "dump", "-n"]):
            done = subprocess.run(command + ["-r", str(path)] + flags, capture_output=True, text=True, errors="replace", check=False)
            check(done.returncode == 0, f"{command[0]}: {done.stderr}")
            lines = [RECORDS.sub("", PAYLOAD.sub(r"\1", line)) for line in done.stdout.split("\n")]
            # Verbose lines of HTTP and others, each behind a tab.
            outputs.append([line for line in lines if (line[:1] != "\t" or re.match(r"\t(0x|IP|  [a-z]|hop limit)", line))])
        theirs, ours = outputs
        check(len(theirs) > 1000 or flags[:1] == ["udp"], f"{len(theirs)} lines")
        differing = [(a, b) for a, b in zip(theirs, ours) if a != b]
        check(not differing and len(theirs) == len(ours), f"{' '.join(flags)}: {len(theirs)} and {len(ours)} lines; the first that differ: {differing[:2]}")


def whole_collection():
    """All captures in one pcapng, of all link types; but the one whose end is cut off, which mergecap refuses."""
    path, plain = files() / "whole.pcapng", []
    for file in collection():
        if file.parent.name == "capture-truncated-file":
            continue
        plain.append(file)
        if file.suffix == ".zst":  # not every mergecap unpacks it
            plain[-1] = files() / f"{file.parent.name}.pcapng"
            run("zstd", "-q", "-d", "-f", file, "-o", plain[-1])
    run("mergecap", "-a", "-F", "pcapng", "-w", path, *plain)
    return path


@test()
def tshark_reads_the_same_fields():
    path = whole_collection()
    fields = ["frame.number", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport", "tcp.seq_raw", "tcp.ack_raw", "tcp.window_size_value", "tcp.len"]
    command = ["tshark", "-n", "-r", str(path), "-Y", "tcp.len && !icmp && !icmpv6", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
               "-o", "tcp.desegment_tcp_streams:FALSE", "-T", "fields", "-E", "separator=|"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    theirs = {}
    for line in done.stdout.splitlines():
        number, *rest = line.split("|")
        theirs[int(number)] = [value for value in rest if value]
    ours = {}
    shape = re.compile(r"^ *(\d+) +IP6? (\S+)\.(\d+) > (\S+)\.(\d+): Flags \[\S+\](?:, seq (\d+)(?::\d+)?)?(?:, ack (\d+))?, win (\d+).*, length (\d+)$")
    for line in transom("dump", "-n", "-r", path, "-#", "-t", "-S", "-vv", "--json").splitlines():
        packet = json.loads(line)
        text = re.sub(r" \((tos|class|flowlabel|hlim)[^\n]*?(\)\n? +)(?=\S+ > )", " ", packet["packet"].replace(", cksum", " cksum"))
        text = re.sub(r" cksum 0x\w+ \([^)]*\)", "", text)
        match = shape.match(f"{packet['number']} {text}")
        if match:
            ours[packet["number"]] = [value for value in match.groups()[1:] if value is not None]
    both = [number for number in ours if number in theirs]
    # Not those of impossible lengths, of which each shows other parts.
    alone = [number for number in theirs if number not in ours]
    print(f"{len(ours)} lines of ours, {len(theirs)} of tshark, {len(both)} of both; tshark's alone: {alone}")
    check(len(both) > 3000 and len(alone) <= 20, f"{len(ours)} lines of ours, {len(theirs)} of tshark, {len(both)} of both")
    for number in both:
        # An acknowledgment number without its flag is shown by tshark alone.
        expected = theirs[number]
        if len(ours[number]) < len(expected):
            expected = expected[:5] + expected[6:]
        check(ours[number] == expected, f"packet {number}: {ours[number]}, tshark: {theirs[number]}")


@test()
def every_form_of_a_capture_holds_the_same_packets():
    """pcap and pcapng, plain, gzip and zstd; read by us what we write, and by tshark."""
    path = ethernet_of_the_collection()
    lines = transom("dump", "-n", "-r", path, "--nano", "-e")
    packets = transom("dump", "-r", path, "--json").splitlines()
    for name in ("a.pcap", "a.pcapng", "a.pcap.gz", "a.pcapng.gz", "a.pcapng.zst"):
        written = files() / name
        transom("dump", "-r", path, "-w", written)
        check(transom("dump", "-n", "-r", written, "--nano", "-e") == lines, f"{name} holds other packets")
        if written.suffix != ".zst":
            count = int(run("capinfos", "-c", "-M", "-T", "-m", "-r", written).split(",")[-1])
            check(count == len(packets), f"capinfos counts {count} packets in {name}, we {len(packets)}")
    with gzip.open(files() / "a.pcap.gz") as file:
        check(file.read() == (files() / "a.pcap").read_bytes(), "the packed file is another")
    # From a pipe, without knowing what it is.
    done = subprocess.run([str(TRANSOM), "dump", "-n", "-r", "-", "--nano", "-e"], stdin=(files() / "a.pcapng.zst").open("rb"), capture_output=True, text=True, errors="replace", check=True)
    check(done.stdout == lines, "a pipe holds other packets")


@test()
def a_damaged_capture_is_refused_with_offset_and_reason():
    path = ethernet_of_the_collection()
    octets = path.read_bytes()
    broken = files() / "broken.pcap"
    broken.write_bytes(octets[:5000])
    done = subprocess.run([str(TRANSOM), "dump", "-n", "-r", str(broken)], capture_output=True, text=True, check=False)
    check(done.returncode == 2 and "at octet" in done.stderr and done.stdout.count("\n") > 10, f"{done.returncode} {done.stderr}")
    broken.write_bytes(b"not a capture at all")
    transom("dump", "-r", broken, expect=2)
    transom("check-capture", broken, expect=2)
    transom("dump", "-r", path, "no", "such", "filter", expect=2)


@test()
def dump_says_why_for_files_and_running_hosts():
    with Host("--serve", "echo=7", "--trace", work() / "why.pcapng"):
        live = subprocess.Popen([str(TRANSOM), "dump", "--host", "host", "-c", "6", "--why", "tcp"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check(live.stderr.readline().startswith("listening on"), "the dump did not begin")
        subprocess.run(["nc", "-N", HOSTS[4], "7"], input=b"hello", check=True, stdout=subprocess.DEVNULL)
        shown = live.communicate(timeout=20)[0]
        check(live.returncode == 0, "the dump failed")
    check(re.search(r"why: LISTEN → SYN-RECEIVED", shown) or "SYN" in shown and "why: " in shown, shown)
    check(shown.count(f"IP {KERNELS[4]}.") + shown.count(f"IP {HOSTS[4]}.") == 6, shown)
    filed = transom("dump", "-n", "-r", work() / "why.pcapng", "--why", "tcp")
    reasons = [line for line in filed.splitlines() if line.startswith("      why: ")]
    check(len(reasons) >= 5 and any("[RFC" in line for line in reasons), filed)
    comments = run("tshark", "-n", "-r", work() / "why.pcapng", "-Y", "tcp", "-T", "fields", "-e", "frame.comment", "-E", "occurrence=a", "-E", "aggregator=|")
    check(sum(len(line.split("|")) for line in comments.splitlines() if line and "Running as" not in line) == len(reasons), f"tshark: {comments}")


# ---------------------------------------------------------------- check-capture and rewrite

FLAWS = {
    "capture-one-sided": "one-sided", "capture-without-handshake": "no-handshake", "capture-cut": "cut", "capture-offload": "super-packets",
    "tcp-checksum-wrong": "bad-checksums", "capture-mirrored-twice": "duplicates", "capture-clock-steps-back": "clock-steps",
    "capture-two-link-types": "link-types", "capture-nat-seen-twice": "nat",
}
FIXES = {
    "no-handshake": ["--fix", "no-handshake"], "cut": ["--fixlen", "trunc"], "super-packets": ["--fix", "super-packets", "--fixlen", "pad"], "bad-checksums": ["--fixcsum"],
    "duplicates": ["--fix", "duplicates"], "clock-steps": ["--fix", "clock-steps"], "link-types": ["--fix", "link-types"],
}


def flaws_of(path):
    done = subprocess.run([str(TRANSOM), "check-capture", "--json", str(path)], capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    check(done.returncode == (1 if report["findings"] else 0), f"{path} ended with {done.returncode}: {done.stderr}")
    return {finding["flaw"]: finding for finding in report["findings"]}


@test()
def check_capture_finds_each_flaw_and_its_fix_helps():
    for name, flaw in FLAWS.items():
        capture = collection(name)[0]
        found = flaws_of(capture)
        check(flaw in found, f"{name}: {found}")
        words = transom("check-capture", capture, expect=1)
        check(f"first in packet {found[flaw]['first_packet']}" in words and found[flaw]["fix"] in words, words)
        if flaw in FIXES:
            fixed = files() / f"{name}.pcapng"
            transom("rewrite", capture, fixed, *FIXES[flaw])
            left = flaws_of(fixed)
            check(flaw not in left, f"{name} after {FIXES[flaw]}: {left}")
    check(flaws_of(collection("tcp-handshake-ipv4")[0]) == {}, "a whole connection has a flaw")
    transom("check-capture", collection("capture-truncated-file")[0], expect=2)
    # As many copies as editcap finds.
    mirrored = collection("capture-mirrored-twice")[0]
    run("editcap", "-D", "50", mirrored, files() / "deduplicated.pcapng")
    kept = int(run("capinfos", "-c", "-M", "-T", "-m", "-r", files() / "deduplicated.pcapng").split(",")[-1])
    count = json.loads(transom("check-capture", "--json", mirrored, expect=1))["packets"] - flaws_of(mirrored)["duplicates"]["count"]
    check(count <= kept, f"{count} packets are left, editcap leaves {kept}, which takes a changed TTL for another packet")


def fields_of(path, *fields):
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=|", "-E", "occurrence=a", "-d", "tcp.port==1-65535,data", "-d", "udp.port==1-65535,data"]
    for protocol in ("ip", "tcp", "udp"):
        command += ["-o", f"{protocol}.check_checksum:TRUE"]
    for field in fields:
        command += ["-e", field]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


VERDICTS = ["frame.number", "frame.time_epoch", "frame.len", "ip.checksum.status", "tcp.checksum.status", "udp.checksum.status", "icmp.checksum.status",
            "icmpv6.checksum.status", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.flags", "tcp.analysis.flags", "_ws.malformed"]


def check_same_verdicts(before, after):
    for old, new in zip(fields_of(before, *VERDICTS), fields_of(after, *VERDICTS), strict=True):
        check(old == new, f"{after.name}: tshark says '{new}', of the original '{old}'")


@test()
def rewrite_changes_what_it_is_told_and_nothing_else():
    path = ethernet_of_the_collection()
    changed = files() / "changed.pcap"
    transom("rewrite", path, changed, "--pnat", "192.0.2.0/24:198.18.5.0/24,[2001:db8:1::/48]:[fd77::/48]", "--portmap", "80:8080", "--enet-subsmac", "02:00:00:00:00:01,02:00:00:00:00:aa")
    check_same_verdicts(path, changed)
    shown = transom("dump", "-n", "-e", "-r", changed)
    left = re.search(r"(192\.0\.2\.|2001:db8:1::|02:00:00:00:00:01)\S* >|> (192\.0\.2\.|2001:db8:1::|02:00:00:00:00:01)|\.80[: ]", shown)
    check(left is None, f"something is left as it was: {left}")
    check("198.18.5.1." in shown and "fd77::1" in shown and ".8080:" in shown and "02:00:00:00:00:aa" in shown, "something has not come")
    # And back again: the same octets.
    back = files() / "back.pcap"
    transom("rewrite", "-i", changed, "-o", back, "--pnat", "198.18.5.0/24:192.0.2.0/24,[fd77::/48]:[2001:db8:1::/48]", "--portmap", "8080:80", "--enet-subsmac", "02:00:00:00:00:aa,02:00:00:00:00:01")
    check(back.read_bytes() == path.read_bytes(), "the way back leads elsewhere")
    fixed = files() / "fixed.pcap"
    transom("rewrite", path, fixed, "--fixcsum", "--ttl", "9")
    for line in fields_of(fixed, "frame.number", "icmp.type", "icmpv6.type", "ip.ttl", "ip.checksum.status", "tcp.checksum.status"):
        number, icmp, icmpv6, ttl, *statuses = line.split("|")
        if not icmp and not icmpv6:
            check(ttl in ("", "9") and "0" not in statuses, f"packet {number}: TTL {ttl}, checksums {statuses}")
    transom("rewrite", path, path, expect=2)
    transom("rewrite", path, fixed, "--pnat", "10.0.0.0/8", expect=2)


@test()
def scrub_leaves_the_form_and_takes_the_contents():
    path = ethernet_of_the_collection()
    scrubbed = files() / "scrubbed.pcap"
    transom("scrub", path, scrubbed, "--key", "of this test")
    check_same_verdicts(path, scrubbed)
    text = transom("dump", "-n", "-e", "-r", scrubbed)
    check("192.0.2." not in text and "02:00:00:00:00:01" not in text, "an address is left")
    octets = scrubbed.read_bytes()
    for secret in (b"HTTP/1", b"GET /", b"door\x04test", b"SSH-2"):
        check(secret in path.read_bytes() or secret == b"SSH-2", f"{secret} was not there")
        check(secret not in octets, f"{secret} is left")
    again = files() / "again.pcap"
    transom("scrub", path, again, "--key", "of this test")
    check(again.read_bytes() == octets, "the same key makes something else")
    transom("scrub", path, again)
    check(again.read_bytes() != octets, "no key makes the same")
    # Comments stay, and name the new addresses.
    why = files() / "why.pcapng"
    commented = collection("capture-comments")[0]
    transom("scrub", commented, why)
    check(transom("dump", "-r", why, "--why").count("why: ") == transom("dump", "-r", commented, "--why").count("why: ") > 0, "comments are gone")


@test()
def a_long_capture_takes_no_more_memory_than_a_short_one():
    """A pipe without end: each subcommand, 8 and then 80 MiB."""
    capture = collection("tcp-handshake-plain")[0].read_bytes()
    header, packets = capture[:24], capture[24:]
    piece = packets * (1024 * 1024 // len(packets) + 1)

    def peak(words, pieces):
        child = subprocess.Popen([str(TRANSOM)] + words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        child.stdin.write(header)
        for _ in range(pieces):
            child.stdin.write(piece)
        child.stdin.close()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        check(child.returncode in (0, 1), f"{words} ended with {child.returncode}")
        return usage.ru_maxrss

    for words in (["check-capture", "-"], ["scrub", "-", "-"], ["dump", "-nr", "-", "-w", "-", "tcp"]):
        short, long = peak(words, 8), peak(words, 80)
        print(f"{words[0]}: {short} KiB, then {long} KiB", flush=True)
        check(long < short + 4096, f"{words}: {short} KiB for 8 MiB, {long} KiB for 80 MiB")
