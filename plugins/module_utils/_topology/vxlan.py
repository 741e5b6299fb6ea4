# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The arguments of vxlan_link -> the VXLAN with its entries, and what its bridge is to know of those behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from .._model.link import Address, Link, LinkKey, Neighbour
from .._model.plan import Wanted
from .._model.vxlan import FITTING, FLOOD, Forward, Vxlan
from . import normalise
from .link import mtu
from .wish import label, wish

LAST_VNI = 2**24 - 1


def desired(params: Mapping[str, Any]) -> list[Wanted]:
    what = label("vxlan_link", params["name"], params["netns"])
    make = wish(what, params)
    key = LinkKey(normalise.netns(what, "netns", params["netns"]), normalise.link_name(what, "name", params["name"]))
    return [make(Link(key, data=Vxlan()) if params["state"] == "absent" else vxlan(what, params, key))]


def vxlan(what: str, params: Mapping[str, Any], key: LinkKey) -> Link:
    """An entry for a station without an address is about its frames alone. Where each is, is known or learned, not both by default."""
    if params["vni"] is None:
        raise normalise.refuse(what, "vni", "", "is missing", "give the number of the segment")
    remotes, entries = params["remotes"], params["entries"]
    learning = entries is None if params["learning"] is None else params["learning"]
    local = params["local"] and end(what, "local", params["local"])
    data = Vxlan(
        normalise.number(what, "vni", params["vni"], 0, LAST_VNI),
        local or None,
        normalise.number(what, "port", params["port"], 1, 65535),
        learning,
    )
    master = params["master"] and normalise.link_name(what, "master", params["master"])
    flood = [Forward(FLOOD, end(what, f"remotes[{at}]", text)) for at, text in enumerate(remotes or ())]
    found = stations(what, entries or ())
    forwards = frozenset([*flood, *found.values()])
    one_family(what, local, forwards)
    known = frozenset(neighbours(what, entries or ()))
    return Link(
        key,
        data=data,
        owner=params["owner"],
        mtu=FITTING if params["mtu"] is None else mtu(what, params),
        master=master,
        port_learning=learning if master else None,
        neigh_suppress=not learning and (entries is None or bool(known)) if master else None,
        up=params["up"],
        forwards=None if remotes is None and entries is None else forwards,
        flooding=None if (remotes is None) == (entries is None) else entries is None,
        neighbours=None if entries is None else frozenset() if master else known,
        answers=known if master and entries is not None else None,
    )


def end(what: str, option: str, text: str) -> Address:
    """The address of an end of the tunnel."""
    found = normalise.address(what, option, text)
    if found.is_multicast:
        raise normalise.refuse(what, option, text, "is a multicast group", "give the remote ends one by one")
    if found.is_unspecified or found.is_loopback or found.is_link_local:
        raise normalise.refuse(what, option, text, "is no address at which another host is reached")
    return found


def one_family(what: str, local: Optional[Address], forwards: Iterable[Forward]) -> None:
    """drivers/net/vxlan/vxlan_core.c: it has a socket of one family, and sends to itself what is for its own address."""
    first = local
    for forward in sorted(forwards, key=str):
        if forward.remote == local:
            raise normalise.refuse(what, "local", local, "is given as a remote end, too", "leave it out there")
        first = first or forward.remote
        if forward.remote.version != first.version:
            why = f"is of another family than {first}; a VXLAN is carried by one"
            raise normalise.refuse(what, "remote", forward.remote, why, "make a second one for it")


def stations(what: str, entries: Iterable[Mapping[str, Any]]) -> dict[str, Forward]:
    """By MAC address, which may be given several times, with several addresses."""
    found: dict[str, Forward] = {}
    for at, entry in enumerate(entries):
        option = f"entries[{at}]"
        mac = str(normalise.mac(what, f"{option}.mac", entry["mac"]))
        new = Forward(mac, end(what, f"{option}.remote", entry["remote"]))
        if found.setdefault(mac, new) != new:
            raise normalise.refuse(
                what, f"{option}.mac", mac, f"is at {found[mac].remote} already", "say where it is once"
            )
    return found


def neighbours(what: str, entries: Iterable[Mapping[str, Any]]) -> Iterable[Neighbour]:
    found: dict[Address, str] = {}
    for at, entry in enumerate(entries):
        mac = str(normalise.mac(what, f"entries[{at}].mac", entry["mac"]))
        for text in entry["ip"] or ():
            option = f"entries[{at}].ip"
            address = normalise.address(what, option, text)
            if address.is_multicast or address.is_unspecified:
                raise normalise.refuse(what, option, text, "is no address that a station can have")
            if found.setdefault(address, mac) != mac:
                raise normalise.refuse(
                    what, option, text, f"is given to {found[address]} already", "say whose it is once"
                )
    return [Neighbour(address, mac) for address, mac in found.items()]
