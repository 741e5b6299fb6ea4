# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one overlay costs as hosts grow in number: the control state, simulated for 10 to 1,000 hosts with 10 to 100 containers each.

Nothing is built. The document is read, chosen for all hosts as role topology does, and planned for one of them as its
module does: so the times are of the code that runs. With static entries a host has what the plan says; with a routing
daemon, what BGP EVPN tells it (RFC 7432): a route for each MAC address, one for each address of it, one for each host.
"""

from __future__ import annotations

import argparse
import json
import time
from ipaddress import ip_address
from typing import Any

from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import plan
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.neighbour import (
    forward_messages,
    neighbour_message,
)
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.rtnetlink import RTM_NEWROUTE, route_message
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey, LinkRoute, Other
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import World
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import (
    Allocation,
    Reached,
    State,
    Surroundings,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.statefile import encode, plain
from ansible_collections.netwright.docknet.plugins.module_utils._topology.cluster import choose
from ansible_collections.netwright.docknet.plugins.module_utils._topology.topology import prepare

SIZES = ((10, 10), (10, 100), (100, 10), (100, 100), (1000, 10), (1000, 100))
# An EVPN route of type 2 with an address takes 37 bytes and its length, one of type 3 19 (RFC 7432 section 7); attributes are shared.
TYPE_2, TYPE_3 = 39, 19


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", help="HOSTSxCONTAINERS,...")
    parser.add_argument("--mode", choices=("vxlan", "host-gw"), default="vxlan")
    options = parser.parse_args()
    sizes = [tuple(map(int, one.split("x"))) for one in options.sizes.split(",")] if options.sizes else SIZES
    titles = (
        "hosts",
        "containers",
        "entries",
        "netlink",
        "arguments",
        "state",
        "choose",
        "plan",
        "again",
        "BGP routes",
        "BGP bytes",
    )
    print(("{:>10} " * len(titles)).format(*titles))
    for hosts, containers in sizes:
        print(("{:>10} " * len(titles)).format(*simulate(hosts, containers, options.mode)))


def simulate(hosts: int, containers: int, mode: str) -> list[str]:
    raw, peers = document(hosts, containers, mode), addresses(hosts)
    start = time.process_time()
    leases = choose(raw, [told(host, address) for host, address in peers.items()])
    chosen = time.process_time() - start
    params = {
        "topology": raw,
        "host": "h0",
        "peers": peers,
        "leases": leases,
        "state": "present",
        "adopt": False,
        "recreate": False,
    }
    start = time.process_time()
    design = prepare(params)
    uplink = Link(LinkKey(None, "eth0"), data=Other("device"), mtu=1500, up=True, routes=frozenset())
    world = World(links={uplink.key: uplink}, surroundings=around("h0", peers))
    wanted = design.wanted(world)
    todo = plan(wanted, world, assume=True)
    cold = time.process_time() - start
    start = time.process_time()
    design = prepare(params)
    left = plan(design.wanted(todo.world), todo.world, assume=True)
    warm = time.process_time() - start
    links = [one.value for one in wanted if isinstance(one.value, Link)]
    forwards = [each for link in links for each in link.forwards or ()]
    neighbours = [each for link in links for each in link.neighbours or ()]
    messages = [each for one in forwards for each in forward_messages(1, True, one)]
    messages += [neighbour_message(1, True, one) for one in neighbours]
    # Those of the host itself: what is in its containers does not grow.
    routes = [one.value.route for one in wanted if isinstance(one.value, LinkRoute) and one.value.link.netns is None]
    messages += [route_message(RTM_NEWROUTE, 1, one) for one in routes]
    state = next(one.value for one in wanted if isinstance(one.value, State))
    assert not left.operations, left.operations[:3]
    assert len(forwards) == (hosts - 1) * containers * (mode == "vxlan") and len(routes) == (hosts - 1) * (
        mode == "host-gw"
    )
    return [
        str(hosts),
        str(containers),
        str(len(forwards) + len(neighbours) + len(routes)),
        size(sum(16 + len(one.payload) for one in messages)),
        size(len(json.dumps(params))),
        size(len(encode(state))),
        f"{chosen:.2f} s",
        f"{cold:.2f} s",
        f"{warm:.2f} s",
        str((hosts - 1) * (2 * containers + 1)),
        size((hosts - 1) * (2 * containers * TYPE_2 + TYPE_3)),
    ]


def size(count: float) -> str:
    return f"{count / 1e3:.0f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def document(hosts: int, containers: int, mode: str) -> dict[str, Any]:
    subnet = {"config": [{"subnet": "10.0.0.0/12"}]}
    network = {"driver": "overlay", "driver_opts": {"mode": mode}, "ipam": subnet}
    places = {
        f"c{host}-{number}": {"host": f"h{host}", "networks": ["net"]}
        for host in range(hosts)
        for number in range(containers)
    }
    return {"name": "shop", "networks": {"net": network}, "containers": places}


def addresses(hosts: int) -> dict[str, str]:
    return {f"h{host}": str(ip_address("192.168.0.1") + host) for host in range(hosts)}


def told(host: str, address: str) -> dict[str, Any]:
    """What a host without anything says of itself."""
    return {
        "host": host,
        "identity": host,
        "document": "",
        "obstacles": [],
        "built": False,
        "known": plain(State("shop", host, allocation=Allocation())),
        **dict.fromkeys(("others", "on_link", "routed", "servers", "addresses"), ()),
        "vnis": {},
        "underlay": {"address": address, "device": "eth0", "mtu": 1500},
    }


def around(host: str, peers: dict[str, str]) -> Surroundings:
    own = ip_address(peers[host])
    return Surroundings(reached={ip_address(one): Reached(own, "eth0") for one in peers.values()})


if __name__ == "__main__":
    main()
