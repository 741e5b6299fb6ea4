# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Veth pairs into namespaces, each with an address and a default route: the modules' work against `ip -batch` doing the same.

The modules' time runs from after their imports to their answer: arguments checked, looked, planned, done, looked again.
The peer's time is what the shell script that people write takes: namespaces in one `ip -batch`, links in another, then one
`ip -n NAME -batch` for each namespace, since a batch cannot change namespaces. Both in fresh network and mount
namespaces, by turns, in one run; the median ratio is the result.

    python tests/bench/pairs.py [--pairs 100] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PREPARE = "mount -t tmpfs tmpfs /run && ip link add br0 type bridge && ip addr add 172.17.0.1/16 dev br0 && ip link set br0 up"


def numbered(count: int) -> list[tuple[int, str]]:
    """(number, address) of each container."""
    return [(number, f"172.17.{1 + number // 250}.{1 + number % 250}/16") for number in range(count)]


def peer(count: int, folder: Path) -> float:
    """Seconds of `ip -batch`, timed by the shell around it."""
    names = "".join(f"netns add c{number}\n" for number, _address in numbered(count))
    links = "".join(
        f"link add v{number} type veth peer name eth0 netns c{number}\nlink set v{number} master br0 up\n"
        for number, _address in numbered(count)
    )
    (folder / "names").write_text(names)
    (folder / "links").write_text(links)
    for number, address in numbered(count):
        lines = f"link set lo up\naddr add {address} dev eth0\nlink set eth0 up\nroute add default via 172.17.0.1\n"
        (folder / f"c{number}").write_text(lines)
    script = f"""{PREPARE}
      begin=$(date +%s%N)
      ip -batch {folder}/names && ip -batch {folder}/links || exit 1
      for number in $(seq 0 {count - 1}); do ip -n c$number -batch {folder}/c$number || exit 1; done
      echo $(( $(date +%s%N) - begin ))"""
    return int(isolated("sh", "-c", script)) / 1e9


def ours(count: int) -> dict[str, float]:
    """Seconds of the two modules' work, first run and second."""
    script = f"{PREPARE} && exec {sys.executable} {__file__} --inner {count}"
    return json.loads(isolated("sh", "-c", script).splitlines()[-1])


def isolated(*command: str) -> str:
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--propagation", "private", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        sys.exit(f"{command[:2]} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def inner(count: int) -> None:
    """In the fresh namespaces: import, then time the work."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import conftest  # noqa: F401 -- puts ansible_collections on the path
    from ansible_collections.netwright.docknet.plugins.modules import netns, veth_pair  # noqa: F401 -- their import is not timed
    from ansible_collections.netwright.docknet.tests.direct import call

    namespaces = {"config": [{"name": f"c{number}"} for number, _address in numbered(count)]}
    pairs = {
        "config": [
            {
                "a": {"name": f"v{number}", "master": "br0"},
                "b": {"name": "eth0", "netns": f"c{number}", "addresses": [address], "gateway": ["172.17.0.1"]},
            }
            for number, address in numbered(count)
        ]
    }
    spent = {}
    for turn, changed in (("first", True), ("second", False)):
        begin = time.perf_counter()
        for module, arguments in (("netns", namespaces), ("veth_pair", pairs)):
            answer = call(module, **arguments)
            if answer.get("failed") or answer["changed"] is not changed:
                sys.exit(f"{module}: {answer.get('msg') or answer}")
        spent[turn] = time.perf_counter() - begin
    print(json.dumps(spent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--inner", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inner:
        inner(options.inner)
        return
    ratios, again = [], []
    for turn in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            theirs = peer(options.pairs, Path(folder))
        mine = ours(options.pairs)
        ratios.append(mine["first"] / theirs)
        again.append(mine["second"] / mine["first"])
        print(
            f"round {turn + 1}: ip -batch {theirs * 1e3:.0f} ms, modules {mine['first'] * 1e3:.0f} ms, "
            f"unchanged {mine['second'] * 1e3:.0f} ms"
        )
    print(
        f"{options.pairs} pairs: modules / ip -batch = {statistics.median(ratios):.2f} "
        f"(from {min(ratios):.2f} to {max(ratios):.2f}), unchanged / first = {statistics.median(again):.2f}"
    )


if __name__ == "__main__":
    main()
