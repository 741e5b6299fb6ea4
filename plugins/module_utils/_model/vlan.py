# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""An 802.1Q child of a parent link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .link import Kind, LinkKey


@dataclass(frozen=True)
class Vlan(Kind):
    """`tag`: the VLAN identifier, 1 to 4094."""

    KIND: ClassVar[str] = "vlan"
    IDENTITY: ClassVar[tuple[str, ...]] = ("parent", "tag")
    LINKS: ClassVar[tuple[str, ...]] = ("parent",)

    parent: LinkKey = LinkKey(None, "")
    tag: int = 0
