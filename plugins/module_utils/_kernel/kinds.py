# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Every kind of link this collection makes: one line for each."""

from __future__ import annotations

from . import bridge, ipvlan, macvlan, veth, vlan, vxlan, wireguard

KINDS = {codec.MODEL.KIND: codec for codec in (veth, bridge, macvlan, ipvlan, vlan, vxlan, wireguard)}
