# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lost file is made again from what is seen."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface as I

from ansible_collections.netwright.docknet.plugins.module_utils._model.bridge import Bridge
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.macvlan import Macvlan
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import World
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import EVERY_ADDRESS, Dnat, Ports, Table
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import (
    Allocation,
    Lease,
    NetworkLease,
    State,
    Surroundings,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.topology import (
    ContainerSpec,
    Document,
    EndpointSpec,
    NetworkSpec,
    Options,
    PortSpec,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.veth import Veth
from ansible_collections.netwright.docknet.plugins.module_utils._topology import names
from ansible_collections.netwright.docknet.plugins.module_utils._topology.allocate import allocate
from ansible_collections.netwright.docknet.plugins.module_utils._topology.recall import recall

AROUND = Surroundings(machine="a machine")
NETWORKS = [
    NetworkSpec("front", ipv6=True),
    NetworkSpec("apart", options=Options(modes={4: "isolated", 6: "isolated"})),
    NetworkSpec("lan", driver="macvlan"),
]
PORT, RANGE, FIXED = (
    PortSpec(Ports(80, 80)),
    PortSpec(Ports(81, 81), Ports(9000, 9009)),
    PortSpec(Ports(82, 82), Ports(8082, 8082)),
)


def shop(*containers):
    made = [
        ContainerSpec(name, netns=name, endpoints=tuple(map(EndpointSpec, networks)), ports=ports)
        for name, networks, ports in containers
    ]
    made.append(ContainerSpec("old", netns="old", mode="bridge", endpoints=(EndpointSpec("bridge"),)))
    return Document("shop", {one.name: one for one in NETWORKS}, {one.name: one for one in made})


WHOLE = shop(("web", ("front", "apart"), (PORT, RANGE, FIXED)), ("db", ("front", "lan"), ()), ("app", ("lan",), ()))


def seen(whole, chosen):
    """The host as it is when all that was chosen has been made."""
    world = World()
    for name, lease in chosen.networks.items():
        network = whole.networks.get(name)
        if lease.device:
            mine = [I(f"{lease.gateways[one]}/{one.prefixlen}") for one in lease.subnets if one in lease.gateways]
            owner = "shop" if network else "docknet"
            add(world, Link(LinkKey(None, lease.device), Bridge(), owner, addresses=frozenset(mine)))
    for (container, network), lease in chosen.endpoints.items():
        subnets = {one.version: one for one in chosen.networks[network].subnets}
        mine = frozenset(I(f"{one}/{subnets[one.version].prefixlen}") for one in (lease.ipv4, lease.ipv6) if one)
        key = LinkKey(container, names.interfaces(whole.containers[container], whole)[network])
        words = {"owner": "shop", "mac": lease.mac, "addresses": mine | {I("fe80::1/64")}}
        if network == "lan":
            add(world, Link(key, Macvlan(LinkKey(None, "eth0")), **words))
            continue
        end = LinkKey(None, names.host_end("shop", container, network))
        add(world, Link(key, Veth(end), **words))
        add(world, Link(end, Veth(key), "shop"))
    rules = {}
    for (container, port), ports in chosen.ports.items():
        spec = next(one for one in whole.containers[container].ports if str(one) == port)
        for version in (4, 6):
            to = chosen.endpoints[(container, "front")].address(version)
            rule = Dnat(None, "tcp", EVERY_ADDRESS[version], ports, to, spec.target.first, owner="shop")
            rules[rule.key] = rule
    world.tables[None] = Table(True, rules=rules)
    return world


def add(world, link):
    world.links[link.key] = link


def test_everything_comes_back_from_what_is_seen():
    chosen, warnings = allocate(WHOLE, None, AROUND, Allocation())
    assert not warnings and len(chosen.ports) == 3 and chosen.networks["apart"].gateways == {}
    again = recall(WHOLE, None, seen(WHOLE, chosen), None)
    assert replace(again, published_on=chosen.published_on) == chosen
    assert allocate(WHOLE, None, AROUND, again) == (chosen, ())


def test_others_order_of_networks_does_not_hide_whose_end_it_is():
    chosen, _warnings = allocate(WHOLE, None, AROUND, Allocation())
    turned = shop(("web", ("apart", "front"), (PORT,)), ("db", ("front",), ()))
    found = recall(turned, None, seen(WHOLE, chosen), None)
    assert found.endpoints[("web", "front")] == chosen.endpoints[("web", "front")]
    assert found.endpoints[("web", "apart")] == chosen.endpoints[("web", "apart")]
    assert ("app", "lan") not in found.endpoints


def test_what_is_saved_comes_first_and_what_is_seen_fills_it_up():
    chosen, _warnings = allocate(WHOLE, None, AROUND, Allocation())
    mine = Lease(I("172.18.0.77/16").ip, None, "02:42:00:00:00:77")
    saved = Allocation({"front": NetworkLease("br-own")}, {("web", "front"): mine}, {("web", str(PORT)): Ports(7, 7)})
    found = recall(WHOLE, None, seen(WHOLE, chosen), State("shop", allocation=saved))
    assert found.networks["front"].device == "br-own" and found.endpoints[("web", "front")] == mine
    assert found.ports[("web", str(PORT))] == Ports(7, 7)
    assert found.endpoints[("db", "front")] == chosen.endpoints[("db", "front")]
    assert found.networks["lan"] == chosen.networks["lan"]


def test_what_is_others_is_not_recalled():
    chosen, _warnings = allocate(WHOLE, None, AROUND, Allocation())
    world = seen(WHOLE, chosen)
    world.links = {key: replace(link, owner="another") for key, link in world.links.items()}
    rules = {key: replace(rule, owner="another") for key, rule in world.tables[None].rules.items()}
    world.tables[None] = Table(True, rules=rules)
    assert recall(WHOLE, None, world, None) == Allocation()
    assert recall(WHOLE, None, World(), None) == Allocation()
