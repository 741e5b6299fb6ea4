# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""VXLANs as rtnetlink has them (drivers/net/vxlan/vxlan_core.c vxlan_nl2conf)."""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any, cast

from .._model.link import Birth, Kind, LinkKey
from .._model.vxlan import Vxlan
from .netlink import as_u32, attribute, u8, u32

MODEL = Vxlan
# What the kernel's bare word means here.
HINTS = {
    errno.EOPNOTSUPP: "this kernel has no VXLAN; load its module vxlan",
    errno.EAFNOSUPPORT: "this kernel has no IPv6; give IPv4 addresses",
}
IFLA_VXLAN_ID, IFLA_VXLAN_LOCAL, IFLA_VXLAN_LEARNING, IFLA_VXLAN_PORT, IFLA_VXLAN_LOCAL6 = 1, 4, 7, 15, 17
IFLA_VXLAN_COLLECT_METADATA = 25
_PORT = struct.Struct("!H")


def encode(birth: Birth, _places: Mapping[object, int]) -> bytes:
    """Without an address of its own it takes its family from its remote ends: the kernel opens a socket of one only."""
    link, data = birth.link, cast(Vxlan, birth.link.data)
    local = data.local
    if local is None and any(forward.remote.version == 6 for forward in link.forwards or ()):
        local = IPv6Address(0)
    own = {"local": local, "learning": data.learning}
    return (
        u32(IFLA_VXLAN_ID, cast(int, data.vni))
        + attribute(IFLA_VXLAN_PORT, _PORT.pack(cast(int, data.port)))
        + b"".join(change(own))
    )


def change(values: Mapping[str, object]) -> list[bytes]:
    body = b""
    local: Any = values.get("local")
    if local is not None:
        body += attribute(IFLA_VXLAN_LOCAL if local.version == 4 else IFLA_VXLAN_LOCAL6, local.packed)
    if values.get("learning") is not None:
        body += u8(IFLA_VXLAN_LEARNING, int(bool(values["learning"])))
    return [body] if body else []


def decode(data: Mapping[int, bytes], _below: LinkKey) -> Kind:
    local = data.get(IFLA_VXLAN_LOCAL) or data.get(IFLA_VXLAN_LOCAL6)
    external = any(data.get(IFLA_VXLAN_COLLECT_METADATA, b""))
    return Vxlan(
        vni=None if external else as_u32(data[IFLA_VXLAN_ID]),
        local=ip_address(local) if local else None,
        port=_PORT.unpack_from(data[IFLA_VXLAN_PORT])[0],
        learning=bool(data[IFLA_VXLAN_LEARNING][0]),
    )
