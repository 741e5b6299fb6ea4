# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A child of a parent link, beside it on its network: a macvlan, an ipvlan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional

from .link import Kind, LinkKey


@dataclass(frozen=True)
class Child(Kind):
    """`mode` None: not managed."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("parent",)
    LINKS: ClassVar[tuple[str, ...]] = ("parent",)

    parent: LinkKey = LinkKey(None, "")
    mode: Optional[str] = None
