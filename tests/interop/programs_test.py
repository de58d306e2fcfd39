"""What nobody here wrote, on the stack: each program with the kernel at the other end, as client and as server, and with another stack;
and on a bad network."""

from harness import test
from programs import BAD_NETWORK, KIB, PROGRAMS, Placement


@test(timeout=90, each=[(name, where, family) for name in PROGRAMS for where, family in (("client", 4), ("server", 6), ("both", 4))])
def programs(name, where, family):
    PROGRAMS[name](Placement(where, family))


@test(timeout=90, minutes=True, each=[(name, where, family) for name in PROGRAMS for where, family in
                                      (("client", 6), ("server", 4), ("both", 6))])
def programs_of_the_other_family(name, where, family):
    PROGRAMS[name](Placement(where, family))


# Under faults a few are enough each day in the other places: those whose servers differ most in how they use their sockets.
EACH_DAY = ("asyncio", "curl", "iperf3_both_ways", "iperf3_udp", "nginx_and_wrk", "redis", "ssh")


def on_a_bad_network(name, where, family):
    PROGRAMS[name](Placement(where, family, BAD_NETWORK, size=256 * KIB))


@test(timeout=120, each=[(name, "client", 4) for name in PROGRAMS] + [(name, "server", 6) for name in EACH_DAY] +
      [(name, "both", 4) for name in ("asyncio", "curl", "ssh")])
def programs_on_a_bad_network(name, where, family):
    on_a_bad_network(name, where, family)


@test(timeout=120, minutes=True, each=[(name, where, family) for name in PROGRAMS for where, family in
                                       (("client", 6), ("server", 4), ("server", 6), ("both", 4), ("both", 6))
                                       if not (where == "server" and family == 6 and name in EACH_DAY)])
def every_program_on_a_bad_network(name, where, family):
    on_a_bad_network(name, where, family)
