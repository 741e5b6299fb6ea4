# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What is to be announced after a run, so that nobody waits for an entry of ARP or of neighbour discovery to age.

An IP address may be with another MAC address than before when it comes, when its link goes up, and when the link's MAC
address changes. The kernel announces none of that by itself (net.ipv4.conf.*.arp_notify is 0).

* Behind a bridge of this host it is announced by the bridge, in the name of the container: one socket serves all.
* On the LAN of a macvlan or ipvlan it is announced by the link itself.
* What an overlay's container on another host has is told to those of this host by their bridge, which keeps broadcasts
  from the hosts' tunnels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Optional

from .._model.announcement import Announcement
from .._model.bridge import Bridge
from .._model.ipvlan import Ipvlan
from .._model.link import Address, Birth, Link, LinkAddress, LinkKey, LinkNeighbour, Settings
from .._model.macvlan import Macvlan
from .._model.plan import Operation, World
from .._model.veth import Veth
from .._model.vlan import Vlan

# Kinds of link that carry Ethernet frames with ARP.
ETHERNET = (Bridge, Ipvlan, Macvlan, Veth, Vlan)


def announcements(done: Iterable[Operation], world: World) -> list[Announcement]:
    """`world`: as it is after these operations. Sorted, each address once for each link."""
    done = list(done)
    born = {key for one in done for key in born_by(one.value)}
    found: dict[tuple[LinkKey, Address], Announcement] = {}
    neighbours = [one.value for one in done if isinstance(one.value, LinkNeighbour) and one.action == "add"]
    listeners = _Listeners(world, born)
    for key, neighbour in neighbours:
        link = world.links.get(key)
        if link and link.up and isinstance(link.data, Bridge) and listeners.on(key):
            found[key, neighbour.address] = Announcement(key, neighbour.address, neighbour.mac)
    for key, address in sorted(set(_moved(done, world)), key=str):
        one = _of_link(world.links.get(key), address, world, listeners)
        if one:
            found[one.link, one.address] = one
    return sorted(found.values(), key=lambda one: (one.link.netns or "", one.link.name, str(one.address)))


def born_by(value: object) -> tuple[LinkKey, ...]:
    if not isinstance(value, Birth):
        return ()
    return (value.link.key, value.peer.key) if value.peer else (value.link.key,)


def _moved(done: Iterable[Operation], world: World) -> Iterator[tuple[LinkKey, Address]]:
    """The addresses that may be with another MAC address now, with their links."""
    for one in done:
        value = one.value
        if isinstance(value, LinkAddress) and one.action == "add":
            yield value.link, value.address.ip
        elif (
            isinstance(value, Settings) and one.action == "set" and (value.changes.get("up") or "mac" in value.changes)
        ):
            link = world.links.get(value.link)
            yield from ((value.link, address.ip) for address in (link and link.addresses) or ())


def _of_link(link: Optional[Link], address: Address, world: World, listeners: _Listeners) -> Optional[Announcement]:
    if link is None or not link.up or not link.mac or not isinstance(link.data, ETHERNET):
        return None
    if isinstance(link.data, Ipvlan) and link.data.mode != "l2":
        return None  # the parent's side routes, and nobody asks who has an address
    if isinstance(link.data, Bridge):
        return Announcement(link.key, address, link.mac) if listeners.on(link.key) else None
    port = world.links.get(link.data.peer) if isinstance(link.data, Veth) else None
    if port is None or not port.master:
        return Announcement(link.key, address, link.mac)
    bridge = LinkKey(port.key.netns, port.master)
    return Announcement(bridge, address, link.mac, listeners.on(bridge, beside=port.key))


class _Listeners:
    """The ports of bridges that were there before the run: who came with it knows nobody yet."""

    def __init__(self, world: World, born: set[LinkKey]) -> None:
        self._ports: dict[LinkKey, set[LinkKey]] = {}
        for link in world.links.values():
            if link.master and link.key not in born:
                self._ports.setdefault(LinkKey(link.key.netns, link.master), set()).add(link.key)

    def on(self, bridge: LinkKey, beside: Optional[LinkKey] = None) -> bool:
        return bool(self._ports.get(bridge, set()) - {beside})
