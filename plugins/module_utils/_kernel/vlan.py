# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""802.1Q children as rtnetlink has them (net/8021q/vlan_netlink.c)."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import cast

from .._model.link import Birth, Kind, LinkKey
from .._model.vlan import Vlan
from .netlink import as_u16, u16

MODEL = Vlan
# What the kernel's bare word means here.
HINTS = {
    errno.EOPNOTSUPP: "this kernel has no 802.1Q; load its module 8021q",
    errno.ENETDOWN: "its parent is down",
}
IFLA_VLAN_ID = 1


def encode(birth: Birth, _places: Mapping[object, int]) -> bytes:
    return u16(IFLA_VLAN_ID, cast(Vlan, birth.link.data).tag)


def change(_values: Mapping[str, object]) -> list[bytes]:
    return []


def decode(data: Mapping[int, bytes], below: LinkKey) -> Kind:
    return Vlan(parent=below, tag=as_u16(data[IFLA_VLAN_ID]))
