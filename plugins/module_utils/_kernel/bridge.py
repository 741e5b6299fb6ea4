# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Bridges as rtnetlink has them (net/bridge/br_netlink.c). Times are in hundredths of a second there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._model.bridge import Bridge
from .._model.link import Birth, Kind, LinkKey
from .netlink import as_u32, u8, u32

MODEL = Bridge
HUNDREDTHS = 100

# Field of the model: (attribute, size in bytes, kernel units in one of ours).
FIELDS = {
    "forward_delay": (1, 4, HUNDREDTHS),
    "ageing_time": (4, 4, HUNDREDTHS),
    "stp": (5, 4, 1),
    "vlan_filtering": (7, 1, 1),
    "mcast_snooping": (23, 1, 1),
}


def encode(birth: Birth, _places: Mapping[object, int]) -> bytes:
    return b"".join(change({name: getattr(birth.link.data, name) for name in FIELDS}))


def change(values: Mapping[str, object]) -> list[bytes]:
    """The data of the messages that set these fields; None and what a bridge's message cannot say are left out.

    The kernel takes the fields of a message in an order of its own, and a forward delay that 802.1D forbids only
    while STP is off (net/bridge/br_stp.c br_set_forward_delay): so STP that ends goes ahead.
    """
    first, rest = b"", b""
    for name, (kind, size, units) in FIELDS.items():
        value = values.get(name)
        if value is not None:
            number = int(value) * units  # type: ignore[call-overload]
            data = u8(kind, number) if size == 1 else u32(kind, number)
            if name == "stp" and not number:
                first = data
            else:
                rest += data
    return [data for data in (first, rest) if data]


def decode(data: Mapping[int, bytes], _below: LinkKey) -> Kind:
    seen: dict[str, Any] = {}
    for name, (kind, size, units) in FIELDS.items():
        raw = data.get(kind)
        if raw is None:
            continue
        number = raw[0] if size == 1 else as_u32(raw)
        seen[name] = bool(number) if units == 1 else seconds(number)
    return Bridge(**seen)


def seconds(number: int) -> float:
    """A time in seconds; one that was not set in whole seconds equals none that can be asked for."""
    return number // HUNDREDTHS if number % HUNDREDTHS == 0 else number / HUNDREDTHS
