#!/usr/bin/env python3
"""Fails when an include breaks the arrows of the design.

    tools -> socket_api -> drivers -> stack      and within stack: base <- wire <- link <- ip <- udp, tcp <- host

A congestion control knows of nothing but its interface: stack/tcp/congestion stands on stack/base alone.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAY_INCLUDE = {
    "stack/base": {"stack/base"},
    "stack/wire": {"stack/base", "stack/wire"},
    "stack/link": {"stack/base", "stack/wire", "stack/link"},
    "stack/ip": {"stack/base", "stack/wire", "stack/link", "stack/ip"},
    "stack/udp": {"stack/base", "stack/wire", "stack/link", "stack/ip", "stack/udp"},
    "stack/dhcp": {"stack/base", "stack/wire", "stack/link", "stack/ip", "stack/udp", "stack/dhcp"},
    "stack/tcp/congestion": {"stack/base", "stack/tcp/congestion"},
    "stack/tcp": {"stack/base", "stack/wire", "stack/link", "stack/ip", "stack/tcp", "stack/tcp/congestion"},
    "stack": {"stack", "stack/base", "stack/wire", "stack/link", "stack/ip", "stack/udp", "stack/dhcp", "stack/tcp", "stack/tcp/congestion"},
}
LAYERS = set(MAY_INCLUDE)
MAY_INCLUDE["drivers"] = LAYERS | {"drivers"}
MAY_INCLUDE["socket_api"] = MAY_INCLUDE["drivers"] | {"socket_api"}
MAY_INCLUDE["tools"] = MAY_INCLUDE["socket_api"] | {"tools"}
# What the stack may use besides itself: the standard library and fmt, and of these nothing that touches the machine.
FORBIDDEN_IN_STACK = re.compile(r"<(thread|mutex|condition_variable|future|fstream|iostream|filesystem|random|ctime|sys/.*|unistd\.h|netinet/.*|pcap.*)>")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_of(path):
    """The room or layer whose folder is the nearest above the file."""
    folders = [str(folder) for folder in pathlib.PurePosixPath(path).parents]
    return next((folder for folder in folders if folder in MAY_INCLUDE), folders[0])


def main():
    problems = []
    files = [path for room in ("stack", "drivers", "socket_api", "tools") for path in (ROOT / room).rglob("*") if path.suffix in (".h", ".cpp")]
    for path in sorted(files):
        name = path.relative_to(ROOT).as_posix()
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            if match[1] == '"':
                target = room_of(match[2])
                if target not in MAY_INCLUDE.get(room_of(name), set()):
                    problems.append(f"{name}:{number}: {room_of(name)} may not include {match[2]}")
            elif name.startswith("stack/") and FORBIDDEN_IN_STACK.match(f"<{match[2]}>"):
                problems.append(f"{name}:{number}: the stack may not include <{match[2]}>")
    print("\n".join(problems) if problems else f"{len(files)} files keep to the arrows")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
