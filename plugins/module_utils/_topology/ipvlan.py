# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The arguments of ipvlan_net -> the child, and what it brings along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._model.ipvlan import Ipvlan
from .._model.plan import Wanted
from . import child, normalise
from .link import addressing, mtu


def desired(params: Mapping[str, Any]) -> list[Wanted]:
    mode, flag = params["mode"], params["flag"]

    def dressed(what: str) -> dict[str, Any]:
        size = mtu(what, params)
        fields = {"mtu": size, **addressing(what, params, size)}
        if mode != "l2":
            if params["gateway"]:
                why = f"is no use with mode {mode}, in which no neighbour is asked for: the default route is the interface"
                raise normalise.refuse(
                    what, "gateway", ", ".join(params["gateway"]), why, "leave it out, or use mode l2"
                )
            # As Docker has it: from there the host's routes lead on.
            if params["gateway"] is None and params["netns"] and fields["addresses"] is not None:
                fields["gateways"] = frozenset(
                    map(normalise.direct_route, {one.version for one in fields["addresses"]})
                )
        return fields

    data = Ipvlan(mode=mode, flag=flag)
    return child.links("ipvlan_net", params, data, dressed, "" if flag == "bridge" else f"flag {flag}")
