# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a container that moves to another host is reached there, by containers on all hosts, before or after the run's end.

Four lab hosts, role topology, and a ping every 10 ms from a container on each host to the one that moves. At each place
its packets start with another number of hops (net.ipv4.ip_default_ttl), which tells where a reply came from.

    python tests/bench/move.py [--control evpn] [--moves 4]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.netwright.docknet.tests.lab.lab import Lab
from ansible_collections.netwright.docknet.tests.lab.packets import Flow, flow, wait
from ansible_collections.netwright.docknet.tests.lab.play import LAST_TASK, TOPOLOGY, Run, play_roles

NODES = ("node1", "node2", "node3", "node4")
EVPN = "netwright.docknet.evpn"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--control", choices=("static", "evpn"), default="static")
    parser.add_argument("--moves", type=int, default=4)
    options = parser.parse_args()
    with Lab(f"move{os.getpid()}", NODES) as lab, tempfile.TemporaryDirectory() as home:

        def run(place: str, ttl: int, *limit: str, roles: tuple[str, ...] = (TOPOLOGY,)) -> Run:
            raw = document(place, ttl, options.control)
            done = play_roles(Path(home), lab.inventory(), roles, ["-v", *limit], docknet_topology=raw)
            if done.code:
                raise SystemExit(done.text)
            return done

        measure(lab, options.control, options.moves, run)


def measure(lab: Lab, control: str, moves: int, run: Callable[..., Run]) -> None:
    first = run(NODES[1], 100, roles=(TOPOLOGY,) if control == "static" else (EVPN, TOPOLOGY))
    answer = first.built[NODES[1]]["topology"]["containers"]["mover"]["networks"]["net"]
    print(
        f"{control}: first reply from the new place, in s after the last host's task returned (and for how long there was none)"
    )
    print(("{:>16} " * (1 + len(NODES))).format("from, to", *NODES))
    late: dict[str, list[float]] = {name: [] for name in NODES}
    for number in range(moves):
        old, new = (NODES[1], NODES[3]) if number % 2 == 0 else (NODES[3], NODES[1])
        with contextlib.ExitStack() as stack:
            flows = {
                name: stack.enter_context(flow(lab.hosts[name], f"c{name}", answer["ipv4_address"])) for name in NODES
            }
            reached(lab, answer["ipv4_address"])
            # A daemon tells the others; of a document, all hosts are to be told.
            limit = [f"--limit={old},{new}"] if control == "evpn" else []
            done = run(new, 101 + number, *limit)
            reached(lab, answer["ipv4_address"])
        returned = max(when for when, _answer in done.answers(LAST_TASK).values())
        shown = [seconds(flows[name], 101 + number, returned) for name in NODES]
        for name, (after, _none) in zip(NODES, shown):
            late[name].append(after)
        print(
            ("{:>16} " * (1 + len(NODES))).format(
                f"{old}, {new}", *(f"{after:.2f} ({none:.2f})" for after, none in shown)
            )
        )
    print(("{:>16} " * (1 + len(NODES))).format("median", *(f"{statistics.median(late[name]):.2f}" for name in NODES)))


def seconds(seen: Flow, ttl: int, returned: float) -> tuple[float, float]:
    """After which time the first one came from the new place, and how long after the last one from the old place that was."""
    new = min(one.when for one in seen.replies if one.ttl == ttl)
    return new - returned, new - max(one.when for one in seen.replies if one.when < new)


def reached(lab: Lab, address: str) -> None:
    for name in NODES:
        wait(partial(reaches, lab, name, address), f"{name} reaches the mover")


def reaches(lab: Lab, name: str, address: str) -> bool:
    command = ["ip", "netns", "exec", f"c{name}", "ping", "-c1", "-W1", address]
    return lab.hosts[name].run(command, check=False).returncode == 0


def document(place: str, ttl: int, control: str) -> dict[str, Any]:
    net = {"driver": "overlay", "driver_opts": {"control_plane": control}}
    containers = {f"c{name}": {"host": name, "networks": ["net"]} for name in NODES}
    mover = {"host": place, "networks": ["net"], "sysctls": {"net.ipv4.ip_default_ttl": str(ttl)}}
    return {"name": "shop", "networks": {"net": net}, "containers": {**containers, "mover": mover}}


if __name__ == "__main__":
    main()
