# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The arguments of macvlan_net -> the child, and what it brings along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._model.macvlan import Macvlan
from .._model.plan import Wanted
from . import child, normalise
from .link import addressing, endpoint_mac, mtu


def desired(params: Mapping[str, Any]) -> list[Wanted]:
    mode = params["mode"]

    def dressed(what: str) -> dict[str, Any]:
        mac, size = normalise.mac(what, "mac", params["mac"]), mtu(what, params)
        if mac and mode == "passthru":
            why = "cannot be with mode passthru, whose child has its parent's"
            raise normalise.refuse(what, "mac", mac, why, "leave it out")
        birth_mac = None if mode == "passthru" else endpoint_mac(params)
        return {"mac": mac, "mtu": size, "birth_mac": birth_mac, **addressing(what, params, size)}

    return child.links("macvlan_net", params, Macvlan(mode=mode), dressed, "" if mode == "bridge" else f"mode {mode}")
