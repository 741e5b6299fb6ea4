# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What goes with a child of a parent: the host's routes to it through a shim, and the 802.1Q link it stood on.

A shim is our own child on the parent's side, with a route to each child it serves. It goes with the last of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_network

from .._model.child import Child
from .._model.link import Interface, Link, LinkKey, LinkRoute, Network
from .._model.namespace import Namespace
from .._model.plan import Question, Wanted
from .._model.vlan import Vlan
from .draft import Draft


def question(child: LinkKey) -> Question:
    """The parent's side is the host's: its routes, and who stands on its 802.1Q links."""
    here = child.netns
    return Question(
        namespaces={None},
        links={None},
        addresses={None, here},
        neighbours={(here, None)} if here else set(),
        users={None},
    )


def leaving(draft: Draft) -> Callable[[Link], bool]:
    """Whether a link is to go, by itself or with its namespace."""
    links = {one.value.key for one in draft.wanted if not one.present and isinstance(one.value, Link)}
    places = {one.value.name for one in draft.wanted if not one.present and isinstance(one.value, Namespace)}
    return lambda link: link.key in links or link.key.netns in places


def release(wanted: Wanted, child: Link, draft: Draft, first: bool = False) -> None:
    """Before a child is deleted: what only it needs goes.

    Before, because afterwards nothing would say that it was needed: a run that dies in between could not be made good.
    An 802.1Q link takes the child along. `first`: the child makes way, and so does this.
    """
    if not isinstance(child.data, Child):
        return
    unroute(wanted, child, child.addresses or frozenset(), draft, first)
    parent = draft.world.links.get(child.data.parent)
    if (
        parent
        and isinstance(parent.data, Vlan)
        and parent.owner == wanted.owner
        and parent.key not in draft.links
        and draft.world.users.get(parent.key, 1) <= 1
    ):
        draft.remove_link(wanted, parent, "nothing else stands on it", first)


def unroute(wanted: Wanted, child: Link, addresses: Iterable[Interface], draft: Draft, first: bool = False) -> None:
    """Before a child loses addresses: the shims' routes to them go, and a shim that has no other."""
    targets = {host_network(address) for address in addresses}
    for shim in list(shims(wanted, child, draft)):
        routes = shim.routes or frozenset()
        lost = [route for route in routes if route.to in targets]
        if lost and len(lost) == len(routes) and shim.key not in draft.links and not shim.adopted:
            draft.do(wanted, "delete", shim, "no other child is left that the host reaches through it", first)
            continue
        for route in lost:
            draft.do(wanted, "remove", LinkRoute(shim.key, route), "the child's address goes", first)


def shims(wanted: Wanted, child: Link, draft: Draft) -> Iterator[Link]:
    for link in draft.world.links.values():
        if link.key == child.key or not isinstance(link.data, Child) or not isinstance(child.data, Child):
            continue
        if (
            link.data.parent == child.data.parent
            and link.key.netns == link.data.parent.netns
            and link.owner == wanted.owner
        ):
            yield link


def host_network(address: Interface) -> Network:
    """The one address as a destination: a /32, or a /128."""
    return ip_network(address.ip)
