# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""An ipvlan child of a parent link: it has its parent's MAC address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional

from .child import Child


@dataclass(frozen=True)
class Ipvlan(Child):
    """`mode`: l2, l3 or l3s. `flag`: bridge, private or vepa. Both are the parent's: its children have one together."""

    KIND: ClassVar[str] = "ipvlan"

    flag: Optional[str] = None
