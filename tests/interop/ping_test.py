"""Echo, both families and both directions, up to the largest datagram."""

import json

from harness import HOSTS, KERNELS, TRANSOM, Host, check, run, test, work

SIZES = (0, 56, 1472, 1473, 8000, 65507)


@test(each=[(4,), (6,)])
def kernel_pings_host(family):
    with Host():
        for size in SIZES:
            output = run("ping", f"-{family}", "-c", 5, "-i", 0.05, "-W", 2, "-s", size, HOSTS[family])
            check(" 0% packet loss" in output, f"lost some of {size} octets")


@test(each=[(4,), (6,)])
def host_pings_kernel(family):
    for size in SIZES:
        output = run(TRANSOM, "ping", "--tap", "tap0", "-c", 5, "-i", 0.05, "-W", 2, "-s", size, "--json",
                     "--pcap", work() / f"ping{size}.pcap", KERNELS[family])
        result = json.loads(output)
        check(result["received"] == 5 and result["damaged"] == 0, f"lost some of {size} octets: {result}")


@test(each=[(4,), (6,)])
def nobody_answers_for_an_unused_address(family):
    unused = {4: "10.9.0.77", 6: "fd09::77"}[family]
    output = run(TRANSOM, "ping", "--tap", "tap0", "-c", 2, "-i", 0.1, "-W", 5, unused, expect=1)
    check("100% packet loss" in output and "Unreachable" in output, "the failure of the neighbour was not reported")


@test()
def loopback_addresses_answer():
    for address in ("127.0.0.1", "::1", "10.9.0.2", "fd09::2"):
        run(TRANSOM, "ping", "--tap", "tap0", "-c", 2, "-i", 0.05, address)
