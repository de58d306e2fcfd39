"""A case of the collection: what it is called, what it shows, what is expected of it, and the function that makes its capture."""

CASES = {}


class Case:
    def __init__(self, name, function, *, kernel="none", stack=None, at="client", routed=False, form="input.pcapng", lab=True, missed=False, golden=False, **setting):
        self.name, self.function = name, function
        self.shows = " ".join(function.__doc__.split())
        self.kernel, self.stack, self.at, self.routed, self.form = kernel, stack, at, routed, form
        self.lab = lab
        self.missed = missed
        self.golden = golden
        self.setting = setting


def case(name, **how):
    """Marks a function that makes a capture. It is handed a Lab (unless lab=False) and may return the frames or the octets of the file;
    otherwise what the lab has recorded is written. `kernel`: which ends are the Linux kernel's TCP (none, client, server, both);
    `stack`: the end (client or server) in whose place a replay puts the stack; `form`: the file's name, which says its format. `golden`: a replay is held against
    a golden record of it (transom replay-suite --accept). `missed`: packets were taken out, so that the end where it was taken proves nothing. What is expected of it is in expectations.py. The docstring is what README.md says. What else there is goes to the Lab."""
    def register(function):
        if name in CASES:
            raise ValueError(f"two cases are called {name}")
        CASES[name] = Case(name, function, **how)
        return function
    return register
