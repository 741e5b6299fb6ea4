# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""How an owner's name is written on what he owns.

A link carries a group number from its creating message on, and an alternative name that a human can
read. Other objects carry the same readable text in a comment. What was adopted keeps its group and has another name.
"""

from __future__ import annotations

import hashlib
from typing import Optional

PREFIX = "docknet"
# On a link or a namespace that was there before: it is given back, and not deleted.
ADOPTED = "docknet-adopted"
# '@' cannot be in an owner's name (see _topology/normalise.py), and '/' and ':' not in an alternative name (dev_valid_name in the kernel).
SEPARATOR = "@"


def group(owner: str) -> int:
    """The link group of an owner: 31 bits of a hash, never 0 (the kernel's "no group")."""
    return int.from_bytes(hashlib.sha256(owner.encode()).digest()[:4], "big") & 0x7FFFFFFF | 0x40000000


def altname(owner: str, name: str, adopted: bool = False) -> str:
    """The alternative name of link `name`. Unique in a namespace, because `name` is."""
    return SEPARATOR.join((ADOPTED if adopted else PREFIX, owner, name))


def mark_in(altnames: tuple[str, ...]) -> str:
    """Of a link's alternative names the one that is ours, or ""."""
    return next((text for text in altnames if _parts(text)), "")


def is_adopted(mark: Optional[str]) -> bool:
    return mark is not None and _parts(mark)[:1] == [ADOPTED]


def _parts(text: str) -> list[str]:
    """What a mark consists of, or nothing."""
    parts = text.split(SEPARATOR, 2)
    return parts if len(parts) == 3 and parts[0] in (PREFIX, ADOPTED) else []


def owner_of(altnames: tuple[str, ...]) -> Optional[str]:
    """Whose a link is, from its alternative names; None when no mark of ours is among them."""
    parts = _parts(mark_in(altnames))
    return parts[1] if parts else None


def name_in(text: str) -> str:
    """The link's name in an alternative name of ours."""
    return text.split(SEPARATOR, 2)[2]
