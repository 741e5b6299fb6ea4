# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""nft's JSON (libnftables-json(5)) -> elements and lines, each thing in one spelling whatever the version of nft."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network, summarize_address_range
from typing import Any, Optional, Union

from .._model.link import Address, Network
from .._model.namespace import NetnsRef
from .._model.nft import PROTOCOLS, owner_in, spell
from .._model.rule import MASQUERADE, Element, Line, Snat


def elements_of(one: dict[str, Any]) -> Iterator[Element]:
    """The elements of one set or map."""
    kinds = _kinds(one["type"])
    for entry in one.get("elem", ()):
        # A map's element is [key, value]; a key with a comment is {"elem": {"val": key, "comment": ...}}.
        key, value = entry if isinstance(entry, list) else (entry, None)
        comment = ""
        if isinstance(key, dict) and "elem" in key:
            comment = key["elem"].get("comment", "")
            key = key["elem"]["val"]
        yield Element(one["name"], _spell(key, kinds), "" if value is None else _spell(value, ()), comment)


def _kinds(said: Any) -> list[str]:
    """Of what each part of a key is, as far as that is said: nft 1.1.3 says of what a set is like, 1.0.6 what that is."""
    if isinstance(said, dict) and "typeof" in said:
        like = said["typeof"]
        parts = like["concat"] if "concat" in like else [like]
        return ["ifname" if part.get("meta", {}).get("key") in ("iifname", "oifname") else "" for part in parts]
    return said if isinstance(said, list) else [said]


def _spell(value: Any, kinds: Any) -> str:
    """nft's own spelling of a key or value, its parts normalised."""
    parts = value["concat"] if isinstance(value, dict) and "concat" in value else [value]
    return " . ".join(_part(part, kinds[at] if at < len(kinds) else "") for at, part in enumerate(parts))


def _part(part: Any, kind: str) -> str:
    if isinstance(part, dict) and "prefix" in part:
        return spell(ip_network(f"{part['prefix']['addr']}/{part['prefix']['len']}"))
    if isinstance(part, dict) and "range" in part:
        first, last = part["range"]
        if isinstance(first, int):
            return f"{first}-{last}"
        networks: list[Network] = list(summarize_address_range(ip_address(first), ip_address(last)))
        return spell(networks[0]) if len(networks) == 1 else f"{first}-{last}"
    if kind == "inet_proto":
        return PROTOCOLS.get(str(part), str(part))
    if isinstance(part, str) and kind != "ifname":
        return str(ip_address(part))
    return str(part)


def line_of(netns: NetnsRef, one: dict[str, Any]) -> Line:
    """A rule of a chain."""
    comment = one.get("comment", "")
    return Line(one["chain"], one["handle"], comment, _snat(netns, one.get("expr", ()), owner_in(comment)))


def _snat(netns: NetnsRef, parts: Any, owner: Optional[str]) -> Optional[Snat]:
    """A source rule, from its parts; None when it says anything that a Snat cannot."""
    found: dict[str, Any] = {}
    for part in parts:
        ((sort, what),) = part.items()
        if sort == "match":
            name, value = _match(what)
        else:
            name, value = "to", _target(sort, what)
        if not name or value is None or name in found:
            return None
        found[name] = value
    found.pop("multicast", None)
    if "source" not in found or "to" not in found:
        return None
    return Snat(netns, owner=owner, **found)


def _match(what: dict[str, Any]) -> tuple[str, Any]:
    """(field of a Snat, value) of one condition; ("", None) for one that source rules do not have."""
    left, right, equal = what["left"], what["right"], what["op"] == "=="
    payload, meta = left.get("payload", {}), left.get("meta", {})
    if payload.get("field") == "saddr" and equal:
        return "source", _network(right)
    if payload.get("field") == "daddr" and not equal:
        network = _network(right)
        return ("multicast", network) if network and network.is_multicast else ("", None)
    if meta.get("key") == "oifname" and isinstance(right, str) and not right.startswith("@"):
        return "out_interface" if equal else "except_out_interface", right
    return "", None


def _network(right: Any) -> Optional[Network]:
    if isinstance(right, dict) and "prefix" in right:
        return ip_network(f"{right['prefix']['addr']}/{right['prefix']['len']}")
    return ip_network(right) if isinstance(right, str) and not right.startswith("@") else None


def _target(sort: str, what: Any) -> Optional[Union[str, Address]]:
    if sort == "masquerade" and what is None:
        return MASQUERADE
    if sort == "snat" and isinstance(what.get("addr"), str) and set(what) <= {"addr", "family"}:
        return ip_address(what["addr"])
    return None
