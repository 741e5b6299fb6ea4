# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What the arguments of macvlan_net and ipvlan_net have in common -> the child, and what it brings along.

That is an 802.1Q link, a promiscuous parent, the host's shim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import Any, Callable, Optional

from .._model.child import Child
from .._model.link import Link, LinkKey, LinkRoute, Route
from .._model.plan import Wanted
from .._model.vlan import Vlan
from . import normalise
from .wish import label, wish

OPTIONS = {
    "name": {"type": "str"},
    "netns": {"type": "str"},
    "parent": {"type": "str"},
    "mtu": {"type": "int"},
    "vlan": {"type": "int"},
    "promiscuous": {"type": "bool"},
    "host_shim": {
        "type": "dict",
        "options": {"name": {"type": "str", "required": True}, "addresses": {"type": "list", "elements": "str"}},
    },
    "up": {"type": "bool", "default": True},
}


def links(
    module: str, params: Mapping[str, Any], data: Child, dressed: Callable[[str], dict[str, Any]], apart: str
) -> list[Wanted]:
    """All links that one object's arguments ask for, the parent's side first.

    `data` is the child's own, without its parent; `dressed` makes the other fields of its Link, given what it is called in
    sentences. `apart`: the words by which children do not reach each other, or "".
    """
    what = label(module, params["name"], params["netns"])
    make = wish(what, params)
    key = LinkKey(normalise.netns(what, "netns", params["netns"]), normalise.link_name(what, "name", params["name"]))
    if params["state"] == "absent":
        return [make(Link(key, data=type(data)()))]
    if not params["parent"]:
        raise normalise.refuse(what, "parent", "", "is missing", "name the host's interface that it stands on")
    found = []
    parent = LinkKey(None, normalise.link_name(what, "parent", params["parent"]))
    if params["promiscuous"] is not None:
        found.append(make(Link(parent, promiscuous=params["promiscuous"])))
    if params["vlan"] is not None:
        tagged = tagged_link(what, params, parent)
        found.append(make(tagged))
        parent = tagged.key
    if key == parent:
        raise normalise.refuse(what, "name", key.name, "is its own parent's name", "choose another")
    data = replace(data, parent=parent)
    child = Link(key, data=data, owner=params["owner"], up=params["up"], **dressed(what))
    return found + [make(child)] + [make(value) for value in shim(what, params, child, apart)]


def tagged_link(what: str, params: Mapping[str, Any], parent: LinkKey) -> Link:
    """`parent.vlan`, as Docker names it."""
    tag = normalise.number(what, "vlan", params["vlan"], 1, 4094)
    name = normalise.link_name(what, "vlan", f"{parent.name}.{tag}")
    return Link(LinkKey(None, name), data=Vlan(parent, int(params["vlan"])), owner=params["owner"], up=True)


def shim(what: str, params: Mapping[str, Any], child: Link, apart: str) -> list[Any]:
    """The host's own child of the parent, and its route to each of the container's addresses."""
    words: Optional[Mapping[str, Any]] = params["host_shim"]
    if words is None:
        return []
    if apart:
        why = f"has no use with {apart}, in which children do not reach each other"
        raise normalise.refuse(what, "host_shim", words["name"], why, f"use {apart.partition(' ')[0]} bridge")
    if child.addresses is None:
        why = "needs the container's addresses, to which the host is to have routes"
        raise normalise.refuse(what, "host_shim", words["name"], why, "give addresses")
    key = LinkKey(None, normalise.link_name(what, "host_shim.name", words["name"]))
    if key in (child.key, *child.under):
        raise normalise.refuse(
            what, "host_shim.name", key.name, "is the name of the parent or the child", "choose another"
        )
    addresses = normalise.each(normalise.interface, what, "host_shim.addresses", words["addresses"])
    link = Link(key, data=child.data, owner=params["owner"], up=True, addresses=addresses)
    routes = [
        Route(ip_network(address.ip), None, normalise.default_metric(address.version))
        for address in sorted(child.addresses, key=str)
    ]
    return [link] + [LinkRoute(key, route) for route in routes]
