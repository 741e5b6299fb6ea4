# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of a link's addresses and routes.

Without `former` they are exactly those given. With it the link is shared with the processes of its container: what
they add stays (a floating address, a route), and where they hold the place of a route of ours (a default route through
a VPN), ours comes back when that place is free.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional, Union

from .._model.errors import Conflict, Missing, Unsupported
from .._model.link import Address, Interface, Link, LinkAddress, LinkRoute, Network, Route
from .._model.namespace import Sysctl, place
from .._model.plan import Question, Wanted
from .._model.vxlan import Vxlan
from . import child
from .draft import Draft
from .inheritance import promote_secondaries
from .properties import in_order
from .sysctl import BOOT, NO_IPV6

EMPTY: frozenset = frozenset()


def question(link: Link) -> Question:
    asked = Question()
    # Those of one whose MAC address changes are announced.
    if any(one is not None for one in (link.addresses, link.gateways, link.routes, link.mac)):
        asked.addresses.add(link.key.netns)
    if any(address.version == 6 for address in link.addresses or ()):
        asked.sysctls |= {(link.key.netns, disable_ipv6(name)) for name in (link.key.name, "default")}
    return asked


def disable_ipv6(name: str) -> tuple[str, ...]:
    return ("net", "ipv6", "conf", name, "disable_ipv6")


def check(wanted: Wanted, link: Link, draft: Draft) -> None:
    """Errors: Unsupported, where the kernel has no IPv6; Conflict, where a setting keeps it from this link."""
    six = next(of_ipv6(link), None)
    if six is None:
        return
    if not draft.world.ipv6:
        raise Unsupported(wanted.what, f"{six} cannot be used: {NO_IPV6}", f"leave it out, or {BOOT}")
    off = _off_by(link, draft) if any(address.version == 6 for address in link.addresses or ()) else None
    if off:
        name = ".".join(disable_ipv6(off))
        why = f"{six} cannot be set: IPv6 is off{place(link.key.netns) or ' on the host'} ({name} is 1)"
        raise Conflict(wanted.what, why, f"set {name} to 0 first, or leave out the address")


def of_ipv6(link: Link) -> Iterator[Union[Address, Interface]]:
    """What of a link cannot be without IPv6."""
    yield from (one for one in in_order(link.addresses or EMPTY) if one.version == 6)
    hops = (one.via or one.to.network_address for one in (link.gateways or EMPTY) | (link.routes or EMPTY))
    neighbours = (one.address for one in (link.neighbours or EMPTY) | (link.answers or EMPTY))
    local = link.data.local if isinstance(link.data, Vxlan) else None
    ends = (one.remote for one in link.forwards or ())
    for some in (hops, neighbours, (local,) if local else (), ends):
        yield from (one for one in some if one.version == 6)


def _off_by(link: Link, draft: Draft) -> Optional[str]:
    """The part of the setting's name that says that the link is to have no IPv6. A new one begins with `default`'s, and follows `all`."""
    ref, name = link.key
    wanted = {one.value.path: one.value.value for one in draft.settings.get(ref, ())}
    own, all_, default = (disable_ipv6(one) for one in (name, "all", "default"))
    if own in wanted:
        return name if wanted[own] != "0" else None
    if link.key in draft.before.links and link.key in draft.world.links:
        return name if draft.world.sysctls.get((ref, own), "0") != "0" else None
    if wanted.get(all_, "0") != "0":
        return "all"
    return "default" if draft.world.sysctls.get((ref, default), "0") != "0" else None


def settle(wanted: Wanted, link: Link, draft: Draft) -> None:
    """Removing an address can take others along; those are put back."""
    for name, make in (("routes", LinkRoute), ("gateways", LinkRoute), ("addresses", LinkAddress)):
        going = _left_over(draft, link, name)
        if name == "addresses" and _takes_others_along(draft, link, going):
            why = "so that other addresses of the subnet stay, which are not ours"
            draft.do(wanted, "set", Sysctl(link.key.netns, promote_secondaries(link.key.name), "1"), why)
        for value in in_order(going):
            if name == "addresses":
                child.unroute(wanted, draft.world.links[link.key], (value,), draft, first=True)
            draft.do(wanted, "remove", make(link.key, value), "not asked for")
    down = draft.world.links[link.key].up is False
    for name, make in (("addresses", LinkAddress), ("routes", LinkRoute), ("gateways", LinkRoute)):
        if name == "routes":
            check_hops(wanted, link, draft)
        if down and name != "addresses":
            continue  # the kernel holds no route through a link that is down
        for value in _in_turn(_want(link, name) - _known(draft, link, name)):
            draft.do(wanted, "add", make(link.key, value), "missing")


def _takes_others_along(draft: Draft, link: Link, going: frozenset[Interface]) -> bool:
    """Whether somebody else's address may go with one of these: the first one of an IPv4 subnet takes the others along."""
    others = _known(draft, link, "addresses") - going - _want(link, "addresses")
    return any(one.version == 4 and one.network == other.network for one in going for other in others)


def _in_turn(values: frozenset) -> list[Any]:
    """A destination on the link may be the next hop to another one, so those come first."""
    return sorted(in_order(values), key=lambda one: isinstance(one, Route) and one.via is not None)


def _left_over(draft: Draft, link: Link, name: str) -> frozenset:
    """What is there and is not to be."""
    more = _known(draft, link, name) - _want(link, name)
    return more if link.former is None else more & (link.former | draft.world.links[link.key].marked)


def _known(draft: Draft, link: Link, name: str) -> frozenset:
    if getattr(link, name) is None:
        return EMPTY
    return getattr(draft.world.links[link.key], name) or EMPTY


def _want(link: Link, name: str) -> frozenset:
    return getattr(link, name) or EMPTY


def check_hops(wanted: Wanted, link: Link, draft: Draft) -> None:
    """Errors: Missing, where a next hop is on none of the subnets that the link will have.

    net/ipv4/fib_semantics.c fib_check_nh, net/ipv6/route.c ip6_route_check_nh: it must be on the link, by an address or a
    route without a next hop of its own. One of fe80::/10 is on every link.
    """
    seen = draft.world.links[link.key]
    if seen.addresses is None:
        return
    routes = _want(link, "routes") | _want(link, "gateways")
    before = draft.before.links.get(link.key, seen).addresses or EMPTY
    mine: set[Network] = {one.network for one in seen.addresses}
    near = mine | ((seen.near or EMPTY) - ({one.network for one in before} - mine))
    near |= {one.to for one in routes | (seen.routes or EMPTY) | (seen.gateways or EMPTY) if one.via is None}
    own = {one.ip for one in seen.addresses}
    for route in in_order(routes):
        via = route.via
        if via is None or (via.version == 6 and via.is_link_local):
            continue
        what = f"gateway {via}" if route.is_default else f"the next hop {via} of route {route.to}"
        if via in own:
            raise Missing(wanted.what, f"{what} is its own address", "give the neighbour's")
        if not any(via in network for network in near):
            there = ", ".join(map(str, in_order(seen.addresses))) or "none"
            why = f"{what} is reached by none of its addresses ({there})"
            raise Missing(wanted.what, why, f"give an address of the same subnet, or a route to {via} without via")
