"""transom replay --role both: recorded flows through the kernel as a router, a NAT and a firewall between two devices."""

import json
import shutil
import subprocess

from harness import ROOT, TRANSOM, Skipped, check, run, test, work

CAPTURES = ROOT / "captures"


def through(capture, *flags, expect=0):
    """The verdict, and what is said of each connection."""
    words = [str(word) for word in (TRANSOM, "replay", CAPTURES / capture / "input.pcapng", "--role", "both", "--json", *flags)]
    print("$", " ".join(words), flush=True)
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, timeout=60)
    print(done.stdout.decode())
    check(done.returncode == expect, f"replay ended with status {done.returncode}, not {expect}")
    return json.loads(done.stdout)


def differences(result):
    return {each["id"] for connection in result["flows"] for each in connection["differences"]}


def nft(rules):
    """A command that gives the router these rules."""
    if shutil.which("nft") is None:
        raise Skipped("nft is not installed")
    path = work() / "rules"
    path.write_text(rules)
    return ["--", "nft", "-f", path]


@test(each=[(capture, fidelity) for capture in ("curl-http", "dns", "icmp-echo-fragments", "tcp-loss-sack") for fidelity in ("exact", "stream")])
def the_kernel_as_a_router_is_legal(capture, fidelity):
    result = through(capture, "--fidelity", fidelity, "-t")
    check(result["verdict"] == "legal", "something is not as it should be")
    check(differences(result) <= {"hop-limit", "identification"} and "hop-limit" in differences(result), f"{differences(result)}")
    check(all(each["state"] == "done" and each["left"] == 0 for each in result["flows"]), "not all has been played")


@test()
def the_kernels_nat_is_followed():
    rules = nft("table ip t { chain post { type nat hook postrouting priority 100; oifname port2 masquerade; }; }")
    result = through("dns", *rules)
    check(result["verdict"] == "legal" and "translated" in differences(result), f"{differences(result)}")
    check(all(each["seen_at_port_2"][0].startswith("10.82.0.1:") for each in result["flows"]), "the translation is not told")


@test()
def the_kernels_firewall_that_rejects_and_one_that_drops_are_told():
    result = through("udp-request-response-ipv4", "--stall", "1", *nft("table ip t { chain f { type filter hook forward priority 0; udp dport 9000 reject; }; }"),
                     expect=1)
    check({"lost", "refused"} <= differences(result), f"{differences(result)}")
    result = through("udp-request-response-ipv4", "--stall", "1", *nft("table ip t { chain f { type filter hook forward priority 0; udp dport 9000 drop; }; }"),
                     expect=1)
    (flow,) = result["flows"]
    check(differences(result) == {"lost"} and flow["state"] == "stalled" and "packet 3 at port 2" in flow["awaited"], f"{flow}")


@test()
def loss_on_the_way_is_made_good():
    result = through("curl-http", "--fault", "loss=5% seed=3", "--stall", "10")
    check(result["verdict"] == "legal", f"{differences(result)}")
    check(sum(each["again"] for each in result["flows"]) > 0, "nothing was lost")


@test()
def a_bridge_between_two_devices_changes_nothing():
    for port in ("left", "right"):
        run("ip", "tuntap", "add", port, "mode", "tap")
    run("ip", "link", "add", "between", "type", "bridge")
    for port in ("left", "right"):
        run("ip", "link", "set", port, "master", "between", "up")
    run("ip", "link", "set", "between", "up")
    result = through("curl-http", "--intf1", "left", "--intf2", "right", "--bridge")
    check(result["verdict"] == "same", f"{differences(result)}")


@test()
def what_came_out_is_written_for_people_and_held_against_a_golden_record():
    html, golden = work() / "both.html", work() / "both.jsonl"
    words = [TRANSOM, "replay", CAPTURES / "curl-http" / "input.pcapng", "--role", "both", "-t", "--golden", golden]
    told = run(*words, "--accept", "--all", "--html", html)
    check("recorded" in told and "legal: hop-limit" in told and "verdict: legal" in told, "the ladder is not shown")
    text = html.read_text()
    check("<table>" in text and "hop-limit" in text and "http://" not in text and "src=" not in text, "the page lacks something")
    check(f"{golden}: the same" in run(*words), "the same device does something else")
    told = run(*words, *nft("table ip t { chain f { type filter hook forward priority 0; tcp flags syn tcp option maxseg size set 1000; }; }"), expect=1)
    check("was 'S 0:0(0)" in told and "mss 1000" in told, "another device is no difference")


@test()
def what_a_device_lacks_is_told():
    told = run(TRANSOM, "replay", CAPTURES / "curl-http" / "input.pcapng", "--role", "both", "--intf1", "left", expect=2)
    check("--intf1 and --intf2" in told, "it does not say what is missing")
