# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Macvlan children as rtnetlink has them (drivers/net/macvlan.c)."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import cast

from .._model.link import Birth, Kind, LinkKey
from .._model.macvlan import Macvlan
from .netlink import as_u32, u32

MODEL = Macvlan
# What the kernel's bare word means here.
HINTS = {
    errno.EBUSY: "its parent is in use: by a bridge, by ipvlan, or by a child with this MAC address",
    errno.EINVAL: "its parent has a passthru child, or (for passthru) other children, or the smaller MTU",
}
IFLA_MACVLAN_MODE = 1
MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8, "source": 16}
NAMES = {number: name for name, number in MODES.items()}


def encode(birth: Birth, _places: Mapping[object, int]) -> bytes:
    return b"".join(change({"mode": cast(Macvlan, birth.link.data).mode}))


def change(values: Mapping[str, object]) -> list[bytes]:
    mode = values.get("mode")
    return [u32(IFLA_MACVLAN_MODE, MODES[str(mode)])] if mode else []


def decode(data: Mapping[int, bytes], below: LinkKey) -> Kind:
    return Macvlan(parent=below, mode=NAMES.get(as_u32(data[IFLA_MACVLAN_MODE])))
