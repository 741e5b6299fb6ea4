# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A topology's WireGuard key on a host: made there, and kept there in a file that only root reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, Optional

# 32 bytes in base64, as wg(8) writes them.
PUBLIC = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")


class PublicKey(NamedTuple):
    """What a host tells the others: its public key, "" where it is not known yet, and the UDP port that it listens on."""

    text: str
    port: int


@dataclass(frozen=True)
class WireguardKey:
    """A topology's key on a host. Of the private one no value knows. `unlike` (wanted only): the public key that it must not be any more."""

    name: str
    public: PublicKey
    unlike: Optional[str] = None

    def __str__(self) -> str:
        return f"key {self.name}"
