# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""How an owner's name is written on what he owns.

A link carries a group number from its creating message on, and an alternative name that a human can
read. Other objects carry the same readable text in a comment.
"""

from __future__ import annotations

import hashlib
from typing import Optional

PREFIX = "docknet"
# '@' cannot be in an owner's name (see _topology/normalise.py), and '/' and ':' not in an alternative name (dev_valid_name in the kernel).
SEPARATOR = "@"


def group(owner: str) -> int:
    """The link group of an owner: 31 bits of a hash, never 0 (the kernel's "no group")."""
    return int.from_bytes(hashlib.sha256(owner.encode()).digest()[:4], "big") & 0x7FFFFFFF | 0x40000000


def altname(owner: str, name: str) -> str:
    """The alternative name of link `name`. Unique in a namespace, because `name` is."""
    return SEPARATOR.join((PREFIX, owner, name))


def owner_of(altnames: tuple[str, ...]) -> Optional[str]:
    """Whose a link is, from its alternative names; None when no mark of ours is among them."""
    for text in altnames:
        parts = text.split(SEPARATOR, 2)
        if len(parts) == 3 and parts[0] == PREFIX:
            return parts[1]
    return None


def name_in(text: str) -> str:
    """The link's name in an alternative name of ours."""
    return text.split(SEPARATOR, 2)[2]
