# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wishes and worlds for property tests, of the planner on its own and of the planner on the real kernel.

Names are few, so that wishes meet: the same link is wanted otherwise, elsewhere, or by somebody else. `lan0` and
`lan1` are a pair that is nobody's and always there.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_interface, ip_network
from typing import NamedTuple

from ansible_collections.netwright.docknet.plugins.module_utils._engine import order
from ansible_collections.netwright.docknet.plugins.module_utils._engine.effect import EMPTY, NEW_PORT, effect
from ansible_collections.netwright.docknet.plugins.module_utils._model.bridge import Bridge
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import (
    Birth,
    Link,
    LinkAddress,
    LinkKey,
    LinkNeighbour,
    LinkRoute,
    Neighbour,
    Route,
    Settings,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.macvlan import Macvlan
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace, Sysctl
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Operation, Wanted, World
from ansible_collections.netwright.docknet.plugins.module_utils._model.veth import Veth
from ansible_collections.netwright.docknet.plugins.module_utils._model.vlan import Vlan
from ansible_collections.netwright.docknet.plugins.module_utils._model.vxlan import FLOOD, Forward, LinkForward, Vxlan
from hypothesis import strategies as st

OWNER, OTHER = "shop", "shop2"
NAMESPACES = ("mario", "mario2")
PLACES = (None, *NAMESPACES)
LAN = LinkKey(None, "lan0")
BRIDGES = ("br", "br0")
ENDS = ("v", "v0", "v00", "v.0", "abcdefghijklmno")
CHILDREN = ("m", "m0")
TUNNELS = ("x", "x0")
SHIM, TAGGED = LinkKey(None, "shim"), LinkKey(None, "lan0.5")
MACS = ("02:42:00:00:00:01", "02:42:00:00:00:02", "02:42:00:00:00:03")
ADDRESSES = tuple(
    map(
        ip_interface,
        (
            "10.0.0.1/24",
            "10.0.0.2/24",
            "10.0.0.2/25",
            "10.0.1.1/24",
            "fd00::1/64",
            "fd00::2/64",
            "fd01::1/64",
            "fe80::5/64",
        ),
    )
)
UNDERLAY = tuple(map(ip_address, ("192.0.2.1", "192.0.2.2", "192.0.2.3")))
# Each tunnel has its own behind it: a MAC address has one place on a bridge.
BEHIND = {"x": ("02:42:00:00:01:01", "02:42:00:00:01:02"), "x0": ("02:42:00:00:01:03",)}
FORWARDS = {
    name: tuple(Forward(mac, end) for mac in (*BEHIND[name], FLOOD) for end in UNDERLAY[1:]) for name in TUNNELS
}
NEIGHBOURS = tuple(map(ip_address, ("10.0.0.100", "10.0.1.100", "fd00::100", "fd01::100")))


NAMES = (*BRIDGES, *ENDS, *CHILDREN, *TUNNELS, "lan0", "lan1", "shim")

# The values that are made and removed; others only change what is there.
MADE = (Link, LinkRoute, Namespace)


class Scene(NamedTuple):
    """A world reached by earlier runs and by hand: what was wanted before, and what was broken since."""

    earlier: tuple[Wanted, ...]
    broken: tuple[Operation, ...]


def bare() -> World:
    """A machine with one pair of links."""
    world = World(namespaces={None: Namespace("")})
    one = {"altname": "", "mac": "02:00:00:00:00:01", "mtu": 1500, "master": "", **NEW_PORT}
    one.update(promiscuous=False, up=True, addresses=EMPTY, gateways=EMPTY, routes=EMPTY, neighbours=EMPTY)
    for key, peer in ((LAN, LinkKey(None, "lan1")), (LinkKey(None, "lan1"), LAN)):
        world.links[key] = Link(key, data=Veth(peer=peer), **one)
    return world


def apply(world: World, operations: Sequence[Operation]) -> World:
    """The world after these operations, as it would be seen; `world` itself stays."""
    new = world.copy()
    for operation in operations:
        effect(new, operation)
    parents = [getattr(link.data, "parent", None) for link in new.links.values()]
    new.users = {key: parents.count(key) for key, link in new.links.items() if isinstance(link.data, Vlan)}
    return new


def wish(value: object, present: bool = True, owner: str = OWNER, recreate: bool = True, adopt: bool = False) -> Wanted:
    return Wanted(value, str(value), owner, present=present, recreate=recreate, adopt=adopt)


def maybe(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | values


def placed(entries: Sequence[Forward] | Sequence[Neighbour]) -> frozenset[Forward] | frozenset[Neighbour]:
    """One for each place."""
    return frozenset({one.slot: one for one in entries}.values())


# Strategies are made once: making one takes longer than drawing from it.
flag = maybe(st.booleans())
some_addresses = maybe(st.frozensets(st.sampled_from(ADDRESSES), max_size=3))
some_hops = maybe(st.lists(st.sampled_from(NEIGHBOURS), max_size=2, unique_by=lambda hop: hop.version))
some_places = st.lists(st.sampled_from(NAMESPACES), unique=True)
mtus = maybe(st.sampled_from((1280, 1400, 1500)))
macs = maybe(st.sampled_from(MACS))
some_neighbours = maybe(
    st.lists(st.builds(Neighbour, st.sampled_from(NEIGHBOURS), st.sampled_from(MACS)), max_size=3).map(placed)
)
forward_of = {name: st.sampled_from(FORWARDS[name]) for name in TUNNELS}
some_forwards = {name: maybe(st.lists(forward_of[name], max_size=4).map(placed)) for name in TUNNELS}
keys_of = {
    names: st.lists(st.sampled_from([LinkKey(at, name) for at in PLACES for name in names]), max_size=most, unique=True)
    for names, most in ((BRIDGES, 2), (ENDS, 4), (CHILDREN, 2), (TUNNELS, 2))
}
choice = st.integers(0, 7)
switches = st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from("01")), max_size=2, unique_by=lambda one: one[0])


@st.composite
def addressing(draw: st.DrawFn) -> dict[str, object]:
    """Addresses, default routes and routes of a link; each managed or not, next hops within the addresses."""
    addresses = draw(some_addresses)
    if addresses is None or len({one.ip for one in addresses}) < len(addresses):
        return {}
    gateways, beyond_them = (
        None if hops is None else [hop for hop in hops if any(hop in one.network for one in addresses)]
        for hops in (draw(some_hops), draw(some_hops))
    )
    routes = None if beyond_them is None else frozenset(map(beyond, beyond_them))
    if routes and any(one.to.version == 4 for one in routes) and draw(flag):
        routes |= {Route(ip_network("10.66.0.0/16"), None, 0)}
    if gateways is not None:
        gateways = frozenset(route("0.0.0.0/0" if hop.version == 4 else "::/0", hop) for hop in gateways)
    return {"addresses": addresses, "gateways": gateways, "routes": routes}


def route(to: str, hop: object) -> Route:
    return Route(ip_network(to), hop, 0 if hop.version == 4 else 1024)


def beyond(hop: object) -> Route:
    return route("10.77.0.0/16" if hop.version == 4 else "fd77::/48", hop)


@st.composite
def wishes(draw: st.DrawFn, real: bool = False) -> list[Wanted]:
    """What one run asks for. No object is asked for twice, and a master is a bridge that is asked for too.

    For a `real` kernel no pair has both ends on bridges, where packets would go round for ever, and no link is tagged,
    which not every kernel can.
    """
    places = (None, *draw(some_places))
    bridges, ends, children, tunnels = ([key for key in draw(keys) if key.netns in places] for keys in keys_of.values())
    links = [draw(bridge(key)) for key in bridges]
    for a, b in zip(ends[::2], ends[1::2]):
        shared = {"mtu": draw(mtus), "up": draw(flag), "owner": OWNER}
        first = draw(veth_end(a, b, bridges, shared))
        links += [first, draw(veth_end(b, a, [] if real and first.master else bridges, shared))]
    links += [draw(tunnel(key, [link for link in links if link.key in bridges])) for key in tunnels]
    parents = [Link(LAN, mtu=1500), *(link for link in links if link.key.netns is None and not link.master)]
    if not real and draw(flag):
        links.append(Link(TAGGED, data=Vlan(LAN, 5), owner=OWNER, up=True))
        parents += links[-1:] * 4
    links += [draw(child(key, parents)) for key in children]
    links = [link for link in links if link.key != TAGGED or any(TAGGED in other.under for other in links)]
    found = [wish(value) for value in (*map(Namespace, places[1:]), *links)]
    found += [wish(Sysctl(at, ("net", "ipv4", "ip_forward"), value)) for at, value in draw(switches) if at in places]
    found += draw(shim(links))
    promiscuous = draw(flag)
    if promiscuous is not None:
        found.append(wish(Link(LAN, promiscuous=promiscuous)))
    return found + [one for one in draw(absences) if goes(one.value, places, {link.key for link in links})]


@st.composite
def bridge(draw: st.DrawFn, key: LinkKey) -> Link:
    data = Bridge(
        stp=draw(flag),
        ageing_time=draw(maybe(st.sampled_from((0, 300)))),
        forward_delay=draw(maybe(st.sampled_from((2, 15)))),
    )
    own = {"mac": draw(macs), "mtu": draw(mtus), "up": draw(flag), "owner": OWNER, "birth_mac": MACS[0]}
    return Link(key, data=data, **own, **draw(addressing()), neighbours=draw(some_neighbours))


@st.composite
def veth_end(draw: st.DrawFn, key: LinkKey, peer: LinkKey, bridges: list[LinkKey], shared: dict[str, object]) -> Link:
    masters = [None, "", *(one.name for one in bridges if one.netns == key.netns)]
    master = masters[-1 - draw(choice) % len(masters)]
    flags = {name: draw(flag) if master else None for name in ("hairpin", "isolated")}
    own = {**shared, "mac": draw(macs), "master": master, **flags}
    return Link(key, data=Veth(peer=peer), **own, **({} if master else draw(addressing())))


@st.composite
def tunnel(draw: st.DrawFn, key: LinkKey, bridges: list[Link]) -> Link:
    """Each name has a segment of its own. Its bridge answers for those behind it where nobody says all its neighbours."""
    masters = [None, *(one for one in bridges if one.key.netns == key.netns)]
    master = masters[-1 - draw(choice) % len(masters)]
    forwards, flooding = draw(some_forwards[key.name]), draw(flag)
    if forwards is not None and flooding is not None:
        forwards = frozenset(one for one in forwards if (one.mac == FLOOD) == flooding)
    data = Vxlan(TUNNELS.index(key.name), draw(maybe(st.sampled_from(UNDERLAY))), 4789, draw(flag))
    own = {"mac": draw(macs), "mtu": draw(mtus), "up": draw(flag), "owner": OWNER, "neighbours": draw(some_neighbours)}
    if master:
        own.update(
            master=master.key.name, port_learning=draw(flag), neigh_suppress=draw(flag), port_flooding=draw(flag)
        )
    if master and forwards is not None and master.neighbours is None:
        behind = [one.mac for one in sorted(forwards, key=str) if one.mac != FLOOD]
        addresses = NEIGHBOURS[TUNNELS.index(key.name) :: len(TUNNELS)]
        own["answers"] = frozenset(Neighbour(address, mac) for address, mac in zip(addresses, behind) if draw(flag))
    return Link(key, data=data, forwards=forwards, flooding=flooding, **own)


@st.composite
def child(draw: st.DrawFn, key: LinkKey, parents: list[Link]) -> Link:
    parent = parents[draw(choice) % len(parents)]
    mode = ("bridge", "private", "vepa")[draw(choice) % 3]
    # A bridge whose MTU nobody asks for takes that of its ports, and what its child could have is not to be foreseen.
    mtu = draw(mtus) if parent.mtu or parent.kind != "bridge" else None
    return Link(key, data=Macvlan(parent.key, mode), mtu=mtu, up=draw(flag), owner=OWNER, **draw(addressing()))


@st.composite
def shim(draw: st.DrawFn, links: list[Link]) -> list[Wanted]:
    """The host's own child of lan0, with a route to each address of the others."""
    served = [one for one in links if one.data == Macvlan(LAN, "bridge") and one.addresses and one.up and draw(flag)]
    if not served:
        return []
    own = Link(SHIM, data=Macvlan(LAN, "bridge"), owner=OWNER, up=True, addresses=frozenset())
    targets = {ip_network(address.ip) for one in served for address in one.addresses if not address.is_link_local}
    routes = [Route(to, None, 0 if to.version == 4 else 1024) for to in sorted(targets, key=str)]
    return [wish(own), *(wish(LinkRoute(SHIM, one)) for one in routes)]


absent = [wish(Namespace(name), present=False) for name in NAMESPACES]
for names, data in ((BRIDGES, Bridge()), (ENDS, Veth()), (CHILDREN, Macvlan()), (TUNNELS, Vxlan())):
    absent += [wish(Link(LinkKey(at, name), data=data), present=False) for at in PLACES for name in names]
absences = st.lists(st.sampled_from(absent), max_size=3, unique_by=str)


def goes(value: object, places: Sequence[object], present: set[LinkKey]) -> bool:
    """Whether something can be asked to be gone: it is not wanted in the same breath, and nothing is wanted in it."""
    return value.name not in places if isinstance(value, Namespace) else value.key not in present


def hand(action: str, value: object) -> Operation:
    return Operation(action, value, "by hand", "by hand")


def foreign(key: LinkKey, owner: object) -> Birth:
    """Somebody else's link: a bridge, or a pair whose other end nobody asks for."""
    if key.name in BRIDGES:
        return Birth(Link(key, data=Bridge(), owner=owner, birth_mac=MACS[1]))
    peer = LinkKey(key.netns, f"x{key.name}"[:15])
    one, other = (Link(each, data=Veth(peer=to), owner=owner) for each, to in ((key, peer), (peer, key)))
    return Birth(one, other)


def possible(world: World, operation: Operation) -> bool:
    """Whether a breakage has something to break."""
    value = operation.value
    if isinstance(value, Birth):
        ends = [link.key for link in value if link]
        return ends[0].netns in world.namespaces and not any(key in world.links for key in ends)
    if isinstance(value, Namespace):
        return value.name in world.namespaces
    link = world.links.get(value.key if isinstance(value, Link) else value.link)
    if link is None:
        return False
    if isinstance(value, LinkAddress):
        seen = link.addresses or frozenset()
        return value.address.ip not in {one.ip for one in seen} if operation.action == "add" else value.address in seen
    if isinstance(value, LinkRoute):
        return value.route in (link.routes or ())
    if isinstance(value, LinkForward):
        return isinstance(link.data, Vxlan) and (operation.action == "add" or value.forward in (link.forwards or ()))
    if isinstance(value, LinkNeighbour):
        return operation.action == "add" or value.neighbour in (link.neighbours or ())
    return True


key = st.sampled_from([LinkKey(at, name) for at in PLACES for name in (*BRIDGES, *ENDS, *CHILDREN, *TUNNELS)])
forward = st.sampled_from([(name, one) for name in TUNNELS for one in FORWARDS[name]])
address = st.sampled_from(ADDRESSES)
neighbour = st.builds(Neighbour, st.sampled_from(NEIGHBOURS), st.sampled_from((*BEHIND["x"], MACS[0])))
does = st.sampled_from(("add", "remove"))
changes = st.sampled_from(
    [{"up": False}, {"up": True}, {"mtu": 1300}, {"master": ""}, {"mac": "02:42:00:00:00:09"}, {"promiscuous": True}]
)
# What a person does by hand. What is not there to be broken stays whole.
breakages = st.lists(
    st.one_of(
        st.builds(lambda key: hand("delete", Link(key)), key),
        st.builds(lambda key, new: hand("set", Settings(key, new)), key, changes),
        st.builds(lambda key, new: hand("add", LinkAddress(key, new)), key, address),
        st.builds(lambda key, old: hand("remove", LinkAddress(key, old)), key, address),
        st.builds(lambda key, hop: hand("remove", LinkRoute(key, beyond(hop))), key, st.sampled_from(NEIGHBOURS)),
        st.builds(
            lambda do, at, one: hand(do, LinkForward(LinkKey(at, one[0]), one[1])),
            does,
            st.sampled_from(PLACES),
            forward,
        ),
        st.builds(lambda do, key, one: hand(do, LinkNeighbour(key, one)), does, key, neighbour),
        st.builds(lambda name: hand("delete", Namespace(name)), st.sampled_from(NAMESPACES)),
        st.builds(lambda key, owner: hand("create", foreign(key, owner)), key, st.sampled_from((None, OTHER))),
    ),
    max_size=4,
)
scenes = st.builds(lambda earlier, broken: Scene(tuple(earlier), tuple(broken)), wishes(), breakages)


def ordered(operations: Sequence[Operation]) -> list[Operation]:
    return sorted(operations, key=order.rank)
