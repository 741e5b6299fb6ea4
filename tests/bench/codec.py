# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why _kernel/netlink.py is our own: looking at namespaces through it, against pyroute2's `IPRoute` doing the same.

A socket in each of a hundred namespaces, and a dump of links, addresses and main routes from each, by turns in one
process. Imports are timed apart, since each task pays them again.

    python tests/bench/codec.py [--count 100] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

NAMESPACES = [
    "ip netns add c{0}",
    "ip link add v{0} type veth peer name eth0 netns c{0}",
    "ip -n c{0} addr add 172.17.0.{1}/16 dev eth0",
    "ip -n c{0} link set eth0 up",
    "ip -n c{0} route add default via 172.17.0.1",
]


def timed(work) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def import_seconds(statement: str) -> float:
    """Of one import in a fresh interpreter, without the interpreter's own start."""
    code = f"import time; begin = time.perf_counter(); {statement}; print(time.perf_counter() - begin)"
    command = [sys.executable, "-c", code]
    return min(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _turn in range(5))


def inner(count: int, rounds: int) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import conftest  # noqa: F401 -- puts ansible_collections on the path
    from ansible_collections.netwright.docknet.plugins.module_utils._kernel import namespaces, rtnetlink
    from ansible_collections.netwright.docknet.plugins.module_utils._kernel.netlink import Socket
    from pyroute2 import IPRoute

    for number in range(count):
        for command in NAMESPACES:
            subprocess.run(command.format(number, 2 + number % 250).split(), check=True)
    descriptors = [os.open(f"/run/netns/c{number}", os.O_RDONLY) for number in range(count)]

    def ours() -> None:
        for descriptor in descriptors:
            with namespaces.inside(descriptor):
                socket = Socket()
            socket.dump(rtnetlink.get_links())
            list(map(rtnetlink.read_address, socket.dump(rtnetlink.get_addresses())))
            for family in rtnetlink.FAMILIES.values():
                list(map(rtnetlink.read_route, socket.dump(rtnetlink.get_routes(family))))
            socket.close()

    def theirs() -> None:
        for descriptor in descriptors:
            with namespaces.inside(descriptor):
                socket = IPRoute()
            list(socket.get_links())
            list(socket.get_addr())
            list(socket.get_routes(table=254))
            socket.close()

    ratios = [timed(ours) / timed(theirs) for _turn in range(rounds)]
    mine, other = min(timed(ours) for _turn in range(3)), min(timed(theirs) for _turn in range(3))
    utils = "ansible_collections.netwright.docknet.plugins.module_utils"
    imports = import_seconds(f"import {utils}._kernel.host") / import_seconds("from pyroute2 import IPRoute")
    print(f"ours {mine / count * 1e3:.2f} ms a namespace, pyroute2 {other / count * 1e3:.2f} ms")
    print(
        f"{count} namespaces: ours / pyroute2 = {statistics.median(ratios):.2f} "
        f"(from {min(ratios):.2f} to {max(ratios):.2f}); import of all of _kernel / of IPRoute = {imports:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--inner", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inner:
        inner(options.count, options.rounds)
        return
    script = 'mount -t tmpfs tmpfs /run && exec "$@"'
    again = [sys.executable, __file__, "--inner", f"--count={options.count}", f"--rounds={options.rounds}"]
    isolated = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *again]
    sys.exit(subprocess.run(isolated, check=False, timeout=300).returncode)


if __name__ == "__main__":
    main()
