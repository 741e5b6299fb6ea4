# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A macvlan child of a parent link: it has a MAC address of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .child import Child


@dataclass(frozen=True)
class Macvlan(Child):
    """`mode`: bridge, private, vepa or passthru. Into and out of passthru the kernel changes no living link."""

    KIND: ClassVar[str] = "macvlan"
