# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A bridge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional

from .link import Kind

# The kernel's BR_MAX_PORTS (net/bridge/br_private.h), less the number it keeps for itself.
MAX_PORTS = 1023


@dataclass(frozen=True)
class Bridge(Kind):
    """`ageing_time` and `forward_delay` are in seconds; `ports` are the names of all links enslaved to it."""

    KIND: ClassVar[str] = "bridge"

    stp: Optional[bool] = None
    ageing_time: Optional[int] = None
    forward_delay: Optional[int] = None
    mcast_snooping: Optional[bool] = None
    vlan_filtering: Optional[bool] = None
    ports: Optional[frozenset[str]] = None
