# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The arguments of macvlan_net -> the child, and what it brings along: an 802.1Q link, a promiscuous parent, the host's shim."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, Optional

from .._model.link import Link, LinkKey, LinkRoute, Route
from .._model.macvlan import Macvlan
from .._model.plan import Wanted
from .._model.vlan import Vlan
from . import normalise
from .link import addressing, endpoint_mac, mtu
from .wish import label, wish


def desired(params: Mapping[str, Any]) -> list[Wanted]:
    """All links that one object's arguments ask for, the parent's side first."""
    what = label("macvlan_net", params["name"], params["netns"])
    make = wish(what, params)
    key = LinkKey(normalise.netns(what, "netns", params["netns"]), normalise.link_name(what, "name", params["name"]))
    if params["state"] == "absent":
        return [make(Link(key, data=Macvlan()))]
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
    child = child_link(what, params, key, parent)
    return found + [make(child)] + [make(value) for value in shim(what, params, parent, child)]


def tagged_link(what: str, params: Mapping[str, Any], parent: LinkKey) -> Link:
    """`parent.vlan`, as Docker names it."""
    tag = normalise.number(what, "vlan", params["vlan"], 1, 4094)
    name = normalise.link_name(what, "vlan", f"{parent.name}.{tag}")
    return Link(LinkKey(None, name), data=Vlan(parent, int(params["vlan"])), owner=params["owner"], up=True)


def child_link(what: str, params: Mapping[str, Any], key: LinkKey, parent: LinkKey) -> Link:
    mac, size = normalise.mac(what, "mac", params["mac"]), mtu(what, params)
    if mac and params["mode"] == "passthru":
        raise normalise.refuse(
            what, "mac", mac, "cannot be with mode passthru, whose child has its parent's", "leave it out"
        )
    if key == parent:
        raise normalise.refuse(what, "name", key.name, "is its own parent's name", "choose another")
    data = Macvlan(parent, params["mode"])
    return Link(
        key,
        data=data,
        owner=params["owner"],
        mac=mac,
        mtu=size,
        up=params["up"],
        **addressing(what, params, size),
        birth_mac=None if params["mode"] == "passthru" else endpoint_mac(params),
    )


def shim(what: str, params: Mapping[str, Any], parent: LinkKey, child: Link) -> list[Any]:
    """The host's own child of the parent, and its route to each of the container's addresses."""
    words: Optional[Mapping[str, Any]] = params["host_shim"]
    if words is None:
        return []
    if params["mode"] != "bridge":
        why = f"has no use with mode {params['mode']}, in which children do not reach each other"
        raise normalise.refuse(what, "host_shim", words["name"], why, "use mode bridge")
    if child.addresses is None:
        why = "needs the container's addresses, to which the host is to have routes"
        raise normalise.refuse(what, "host_shim", words["name"], why, "give addresses")
    key = LinkKey(None, normalise.link_name(what, "host_shim.name", words["name"]))
    if key in (child.key, parent):
        raise normalise.refuse(
            what, "host_shim.name", key.name, "is the name of the parent or the child", "choose another"
        )
    addresses = normalise.each(normalise.interface, what, "host_shim.addresses", words["addresses"])
    link = Link(key, data=Macvlan(parent, "bridge"), owner=params["owner"], up=True, addresses=addresses)
    routes = [
        Route(ip_network(address.ip), None, normalise.default_metric(address.version))
        for address in sorted(child.addresses, key=str)
    ]
    return [link] + [LinkRoute(key, route) for route in routes]
