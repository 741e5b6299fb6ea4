# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What the neighbours of a link are told: the MAC address that an IP address has from now on."""

from __future__ import annotations

from typing import NamedTuple

from .link import Address, LinkKey


class Announcement(NamedTuple):
    """`link`: out of which the frame goes; a bridge's reaches all of its ports. `others`: somebody is there who may know another one.

    What the namespace of `link` itself knows of the address there is brought up to date, too.
    """

    link: LinkKey
    address: Address
    mac: str
    others: bool = True
