# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""One end of a veth pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .link import Kind, LinkKey


@dataclass(frozen=True)
class Veth(Kind):
    """`peer`: the other end. One that was seen but could not be placed has a name that no link can have, "#7"."""

    KIND: ClassVar[str] = "veth"
    IDENTITY: ClassVar[tuple[str, ...]] = ("peer",)

    peer: LinkKey = LinkKey(None, "")
