# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The words for names in a hosts file -> the values. What could be more than a name in such a file is refused, never escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from .._model.errors import InvalidRequest
from .._model.hosts import LOCALHOST, HostsBlock, HostsKey, HostsLink
from .._model.link import Address, LinkKey
from .._model.plan import Wanted
from . import normalise
from .wish import label, wish

# RFC 1123 section 2.1, RFC 1035 section 2.3.4.
LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
NAME_LENGTH = 253
# What inet_aton(3) takes for an address, so that it is never looked up: the last part is a number.
NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
OF_ITSELF = frozenset(name for _address, names in LOCALHOST for name in names)
# What is meant as an address, also with a slip of the finger: no namespace's name that a person would choose.
ADDRESS = re.compile(r"[0-9]+(\.[0-9]+){2,}(/.*)?|[0-9A-Fa-f]*:[0-9A-Fa-f.]*:.*")


def desired(params: Mapping[str, Any]) -> list[Wanted]:
    """The block that one object's arguments ask for."""
    what = label("container_hosts_link", params["path"] if params["container"] is None else params["container"], None)
    make = wish(what, params)
    place = key(what, params["container"], params["path"])
    if params["state"] == "absent":
        return [make(HostsBlock(place, params["owner"]))]
    if params["links"] is None:
        raise InvalidRequest(what, "links are missing", "say which, or give an empty list for none")
    return [make(HostsBlock(place, params["owner"], links(what, params["links"])))]


def key(what: str, container: Optional[str], path: Optional[str]) -> HostsKey:
    """Which file: one of the two is given."""
    if container is not None and path is not None:
        raise normalise.refuse(what, "path", path, "is given beside container", "each names a hosts file: give one")
    if path is None:
        return HostsKey(normalise.netns(what, "container", container))
    if not path.isprintable() or not path.startswith("/") or {"", ".", ".."} & set(path[1:].split("/")):
        raise normalise.refuse(what, "path", path, "is no absolute path", "write it from / on, without // . and ..")
    return HostsKey(None, path)


def links(what: str, values: Iterable[Mapping[str, Any]]) -> tuple[HostsLink, ...]:
    """Names for targets, in the user's order. A name stands for one target of each address family."""
    found: list[HostsLink] = []
    taken: dict[tuple[str, int], Union[Address, LinkKey]] = {}
    for position, value in enumerate(values):
        option = f"links[{position}]"
        link = HostsLink(target(what, option, value), names(what, f"{option}.names", value["names"]))
        for name in link.names:
            for version in (4, 6) if isinstance(link.to, LinkKey) else (link.to.version,):
                other = taken.setdefault((name.lower(), version), link.to)
                if other != link.to:
                    why = f"is given to {other} already, so it would lead to one of the two at random"
                    raise normalise.refuse(what, f"{option}.names", name, why, "give each target names of its own")
        found.append(link)
    return tuple(dict.fromkeys(found))


def target(what: str, option: str, value: Mapping[str, Any]) -> Union[Address, LinkKey]:
    """An address where `to` is one, else an interface in a namespace."""
    to, interface = value["to"], normalise.link_name(what, f"{option}.interface", value["interface"])
    if to is not None and ADDRESS.fullmatch(to.strip()):
        return normalise.address(what, f"{option}.to", to)
    return LinkKey(normalise.netns(what, f"{option}.to", to), interface)


def names(what: str, option: str, values: Iterable[str]) -> tuple[str, ...]:
    found = [host_name(what, f"{option}[{position}]", value) for position, value in enumerate(values)]
    if not found:
        raise normalise.refuse(what, option, "[]", "gives no name", "give one at least, or leave the link out")
    return tuple(dict.fromkeys(found))


def host_name(what: str, option: str, value: str) -> str:
    """RFC 1123's host names, with the underscores that Docker, Compose and DNS take in names too."""
    labels = value.replace("_", "x").split(".")
    if len(value) > NAME_LENGTH or not all(map(LABEL.fullmatch, labels)):
        way_out = "use letters, digits, underscores, dots, and hyphens inside; up to 63 between two dots, 253 in all"
        raise normalise.refuse(what, option, value, "is no host name", way_out)
    if NUMBER.fullmatch(labels[-1]):
        why = "is read as an address, so it would never be looked up"
        raise normalise.refuse(what, option, value, why, "let it end in a letter")
    if value.lower() in OF_ITSELF:
        raise normalise.refuse(what, option, value, "means every host itself", "choose another name")
    return value
