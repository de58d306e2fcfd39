"""README.md and case.toml of each folder, and the table of all of them in captures/README.md, from what the cases say."""

import pathlib

import expectations

LARGEST = 60 * 1024  # octets of a capture
BEGIN, END = "<!-- the table: captures/make.py --texts -->", "<!-- end of the table -->"
ENDS = {"none": "", "both": "The kernel's TCP is at both ends.", "client": "The client's TCP is the kernel's.",
        "server": "The server's TCP is the kernel's."}


def quoted(words):
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


def case_toml(case):
    module = pathlib.Path(case.function.__code__.co_filename).name
    lines = [f"# By captures/make.py from captures/making/{module}: change it there.", f"shows = {quoted(case.shows)}",
             f"input = {quoted(case.form)}", f"kernel = {quoted(case.kernel)}"]
    if case.lab and not case.missed:
        lines.append(f"taken_at = {quoted(case.at)}")
    if case.stack:
        lines += ["", "[replay]", f"stack = {quoted(case.stack)}"]
    if case.golden:
        lines += ["", "[golden]"]
    expected = expectations.toml(case.name)
    if expected:
        lines += ["", expected]
    return "\n".join(lines) + "\n"


def readme(case):
    taken = f"Taken at the {case.at}'s end of the wire. " if case.lab else ""
    return f"# {case.name}\n\n{case.shows}\n\n{taken}{ENDS[case.kernel]}\n\nMade again by `captures/make.py {case.name}`.\n".replace(" \n", "\n").replace("\n\n\n\n", "\n\n")


def table(cases):
    lines = ["| case | what it shows | the kernel's TCP | replayed as |", "| --- | --- | --- | --- |"]
    for case in sorted(cases.values(), key=lambda case: case.name):
        kernel = "" if case.kernel == "none" else case.kernel
        lines.append(f"| [{case.name}]({case.name}/README.md) | {case.shows} | {kernel} | {case.stack or ''} |")
    return "\n".join(lines)


def with_table(document, cases):
    before, rest = document.split(BEGIN)
    _, after = rest.split(END)
    of_kernel = sum(case.kernel != "none" for case in cases.values())
    return f"{before}{BEGIN}\n{len(cases)} cases, {of_kernel} of them with the kernel's TCP.\n\n{table(cases)}\n{END}{after}"


def write(cases, to):
    for case in cases.values():
        if (to / case.name / case.form).exists():
            (to / case.name / "README.md").write_text(readme(case), encoding="utf-8")
            (to / case.name / "case.toml").write_text(case_toml(case), encoding="utf-8")
    document = to / "README.md"
    if document.exists():
        document.write_text(with_table(document.read_text(encoding="utf-8"), cases), encoding="utf-8")


def problems(cases, to):
    found = []
    for case in cases.values():
        folder = to / case.name
        capture = folder / case.form
        if not capture.exists():
            found.append(f"{capture} is missing: captures/make.py {case.name}")
        elif capture.stat().st_size > LARGEST:
            found.append(f"{capture} has {capture.stat().st_size} octets, more than {LARGEST}")
        for name, wanted in (("README.md", readme(case)), ("case.toml", case_toml(case))):
            if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != wanted:
                found.append(f"{folder / name} is not what the case says: captures/make.py --texts")
    document = (to / "README.md").read_text(encoding="utf-8")
    if document != with_table(document, cases):
        found.append("the table in captures/README.md is old: captures/make.py --texts")
    found += [f"{name} has no expectation in captures/making/expectations.py" for name in sorted(set(cases) - set(expectations.EXPECT))]
    found += [f"captures/making/expectations.py knows {name}, which is no case" for name in sorted(set(expectations.EXPECT) - set(cases))]
    folders = {path.parent.name for path in to.glob("*/case.toml")}
    found += [f"captures/{name} has no case in captures/making" for name in sorted(folders - set(cases))]
    return found
