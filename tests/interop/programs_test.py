"""What nobody here wrote, on the stack: each program with the kernel at the other end, as client and as server, and with another stack;
and on a bad network."""

from harness import test
from programs import KIB, PROGRAMS, Placement


@test(timeout=90, each=[(name, where, family) for name in PROGRAMS for where, family in (("client", 4), ("server", 6), ("both", 4))])
def programs(name, where, family):
    PROGRAMS[name](Placement(where, family))


@test(timeout=90, minutes=True, each=[(name, where, family) for name in PROGRAMS for where, family in
                                      (("client", 6), ("server", 4), ("both", 6))])
def programs_of_the_other_family(name, where, family):
    PROGRAMS[name](Placement(where, family))


@test(timeout=120, each=[(name,) for name in PROGRAMS])
def programs_on_a_bad_network(name):
    PROGRAMS[name](Placement("client", 4, ["--fault", "loss=2% reorder=2% seed=4"], size=256 * KIB))
