# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Ipvlan children as rtnetlink has them (drivers/net/ipvlan/ipvlan_main.c)."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import cast

from .._model.ipvlan import Ipvlan
from .._model.link import Birth, Kind, LinkKey
from .netlink import as_u16, u16

MODEL = Ipvlan
# What the kernel's bare word means here.
HINTS = {
    errno.EBUSY: "its parent is in use: by a bridge, or by macvlan",
    errno.EINVAL: "its parent is no Ethernet interface",
    errno.EOPNOTSUPP: "this kernel has no ipvlan; load its module ipvlan",
}
IFLA_IPVLAN_MODE, IFLA_IPVLAN_FLAGS = 1, 2
MODES = {"l2": 0, "l3": 1, "l3s": 2}
FLAGS = {"bridge": 0, "private": 1, "vepa": 2}
MODE_NAMES = {number: name for name, number in MODES.items()}
FLAG_NAMES = {number: name for name, number in FLAGS.items()}


def encode(birth: Birth, _places: Mapping[object, int]) -> bytes:
    data = cast(Ipvlan, birth.link.data)
    return b"".join(change({"mode": data.mode, "flag": data.flag}))


def change(values: Mapping[str, object]) -> list[bytes]:
    """Both in one message."""
    data = b""
    if values.get("mode"):
        data += u16(IFLA_IPVLAN_MODE, MODES[str(values["mode"])])
    if values.get("flag"):
        data += u16(IFLA_IPVLAN_FLAGS, FLAGS[str(values["flag"])])
    return [data] if data else []


def decode(data: Mapping[int, bytes], below: LinkKey) -> Kind:
    mode, flag = (as_u16(data[kind]) for kind in (IFLA_IPVLAN_MODE, IFLA_IPVLAN_FLAGS))
    return Ipvlan(parent=below, mode=MODE_NAMES.get(mode), flag=FLAG_NAMES.get(flag))
