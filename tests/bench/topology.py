# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers on one bridge, each with an address, a route, a published port and a name: the topology module against
`ip -batch` and one `nft -f` doing the same.

The peer: namespaces in one `ip -batch`, links in another, one `ip -n NAME -batch` for each namespace, then one `nft -f`
with a map of the ports, and a hosts file with all names that dnsmasq serves.

    python tests/bench/topology.py [--count 100] [--rounds 3]
"""

from __future__ import annotations

from pathlib import Path

import frame

PREPARE = """for place in /run /var/lib /etc; do mount -t tmpfs tmpfs $place || exit 1; done
  printf 'root:x:0:0::/:/bin/sh\\nnobody:x:65534:65534::/:/bin/false\\n' > /etc/passwd
  printf 'root:x:0:\\nnogroup:x:65534:\\n' > /etc/group
  ip link set lo up || exit 1"""
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


def peer(count: int, folder: Path) -> str:
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
    return f"""{BRIDGE} || exit 1
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


def calls(count: int) -> list[frame.Call]:
    containers = {f"c{number}": {"ports": [f"{20000 + number}:80"]} for number, _address in numbered(count)}
    return [("topology", {"topology": {"name": "bench", "containers": containers}})]


def remove(_count: int) -> list[frame.Call]:
    return [("topology", {"topology": {"name": "bench"}, "state": "absent"})]


if __name__ == "__main__":
    frame.main(frame.Bench("containers", PREPARE, peer, calls, remove), rounds=3)
