# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers on one bridge, each with an address, a route, a published port and a name: the topology module against
`ip -batch` and one `nft -f` doing the same.

The peer: namespaces in one `ip -batch`, links in another, one `ip -n NAME -batch` for each namespace, then one `nft -f`
with a map of the ports, and a hosts file with all names that dnsmasq serves. Ours is the module's work after its imports.
Both in fresh network and mount namespaces, by turns, in one run; the median ratio is the result.

    python tests/bench/topology.py [--containers 100] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from pairs import isolated

PREPARE = """for place in /run /var/lib /etc; do mount -t tmpfs tmpfs $place || exit 1; done
  printf 'root:x:0:0::/:/bin/sh\\nnobody:x:65534:65534::/:/bin/false\\n' > /etc/passwd
  printf 'root:x:0:\\nnogroup:x:65534:\\n' > /etc/group
  ip link set lo up"""
BRIDGE = "ip link add br0 type bridge && ip addr add 172.18.0.1/16 dev br0 && ip link set br0 up"
RULES = """table ip peer {{
  map ports {{ type inet_service : ipv4_addr . inet_service; elements = {{ {ports} }} }}
  chain pre {{ type nat hook prerouting priority dstnat; fib daddr type local dnat ip to tcp dport map @ports; }}
  chain out {{ type nat hook output priority -100; fib daddr type local dnat ip to tcp dport map @ports; }}
  chain post {{ type nat hook postrouting priority srcnat; ip saddr 172.18.0.0/16 oifname != "br0" masquerade; }}
  chain forward {{ type filter hook forward priority 0; oifname "br0" ct status dnat accept; }}
}}
"""


def numbered(count: int) -> list[tuple[int, str]]:
    """(number, address) of each container."""
    return [(number, f"172.18.{(number + 2) // 256}.{(number + 2) % 256}") for number in range(count)]


def peer(count: int, folder: Path) -> float:
    """Seconds of iproute2 and nft, timed by the shell around them."""
    every = numbered(count)
    (folder / "names").write_text("".join(f"netns add c{number}\n" for number, _address in every))
    link = "link add v{0} type veth peer name eth0 netns c{0}\nlink set v{0} master br0 up\n"
    (folder / "links").write_text("".join(link.format(number) for number, _address in every))
    for number, address in every:
        lines = f"link set lo up\naddr add {address}/16 dev eth0\nlink set eth0 up\nroute add default via 172.18.0.1\n"
        (folder / f"c{number}").write_text(lines)
    ports = ", ".join(f"{20000 + number} : {address} . 80" for number, address in every)
    (folder / "rules").write_text(RULES.format(ports=ports))
    (folder / "hosts").write_text("".join(f"{address}\tc{number}\n" for number, address in every))
    serve = f"dnsmasq --no-hosts --no-resolv --addn-hosts={folder}/hosts --listen-address=172.18.0.1 --bind-interfaces"
    script = f"""{PREPARE} && {BRIDGE}
      begin=$(date +%s%N)
      ip -batch {folder}/names && ip -batch {folder}/links || exit 1
      for number in $(seq 0 {count - 1}); do ip -n c$number -batch {folder}/c$number || exit 1; done
      nft -f {folder}/rules || exit 1
      for number in $(seq 0 {count - 1}); do
        mkdir -p /etc/netns/c$number && echo nameserver 172.18.0.1 > /etc/netns/c$number/resolv.conf
      done
      {serve} --conf-file=/dev/null --user=root --pid-file=/run/peer.pid || exit 1
      echo $(( $(date +%s%N) - begin ))
      kill $(cat /run/peer.pid)"""
    return int(isolated("sh", "-c", script)) / 1e9


def ours(count: int) -> dict[str, float]:
    """Seconds of the module's work, first run and second."""
    script = f"{PREPARE} && exec {sys.executable} {__file__} --inner {count}"
    return json.loads(isolated("sh", "-c", script).splitlines()[-1])


def inner(count: int) -> None:
    """In the fresh namespaces: import, then time the work."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import conftest  # noqa: F401 -- puts ansible_collections on the path
    from ansible_collections.netwright.docknet.plugins.modules import topology  # noqa: F401 -- its import is not timed
    from ansible_collections.netwright.docknet.tests.direct import call

    containers = {f"c{number}": {"ports": [f"{20000 + number}:80"]} for number, _address in numbered(count)}
    document = {"name": "bench", "containers": containers}
    spent = {}
    for turn, changed in (("first", True), ("second", False)):
        begin = time.perf_counter()
        answer = call("topology", topology=document)
        if answer.get("failed") or answer["changed"] is not changed:
            sys.exit(str(answer.get("msg") or answer["actions"][:3]))
        spent[turn] = time.perf_counter() - begin
    call("topology", topology={"name": "bench"}, state="absent")
    print(json.dumps(spent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--containers", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inner", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inner:
        inner(options.inner)
        return
    ratios, again = [], []
    for turn in range(options.rounds):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            theirs = peer(options.containers, Path(folder))
        mine = ours(options.containers)
        ratios.append(mine["first"] / theirs)
        again.append(mine["second"] / mine["first"])
        print(
            f"round {turn + 1}: ip and nft {theirs * 1e3:.0f} ms, topology {mine['first'] * 1e3:.0f} ms, "
            f"unchanged {mine['second'] * 1e3:.0f} ms"
        )
    print(
        f"{options.containers} containers: topology / ip and nft = {statistics.median(ratios):.2f} "
        f"(from {min(ratios):.2f} to {max(ratios):.2f}), unchanged / first = {statistics.median(again):.2f}"
    )


if __name__ == "__main__":
    main()
