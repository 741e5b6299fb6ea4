# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""How packets leave the containers of a host: by which network, and what that lets through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

from .._model.link import Address
from .._model.topology import ContainerSpec, NetworkSpec
from .network import parent
from .site import VERSIONS, Endpoint, Site, by_default, subnet_of


class Verdict(NamedTuple):
    """Whether packets must arrive, and why. Where neither can be said there is no verdict."""

    works: bool
    why: str


class Ground:
    """A site, looked at from each of its networks. `own`: the host's addresses on links that are not ours, the best to reach it by first."""

    def __init__(self, site: Site, own: Sequence[Address]) -> None:
        self.site = site
        self.own = {version: [one for one in own if one.version == version] for version in VERSIONS}
        self.networks = {one.name: one for one in site.networks}
        self.endpoints = {one.name: site.endpoints(one) for one in site.containers}
        self.on: dict[str, list[Endpoint]] = {name: [] for name in self.networks}
        for mine in self.endpoints.values():
            for endpoint in mine:
                self.on[endpoint.network.name].append(endpoint)

    def way(self, client: ContainerSpec, target: Address) -> Optional[Endpoint]:
        """The endpoint by which a container's packets to an address leave."""
        mine = self.endpoints[client.name]
        on_link = [one for one in mine if one.interface(target.version) and subnet_of(one.given, target)]
        return on_link[0] if on_link else by_default(mine, target.version)

    def apart(self, network: NetworkSpec, address: Address) -> bool:
        """Whether the host's packets to a parent's child would have to pass from the parent to it, which they never do.

        Elsewhere a router of the LAN may bring them there; with vepa a switch may; passthru is the parent itself.
        """
        if network.among not in ("bridge", "private") or network.options.shim is not None:
            return False
        device = parent(self.site, network).name
        return any(one.device == device and address in one.network for one in self.site.around.on_link)


def among(network: NetworkSpec) -> Optional[Verdict]:
    """Two containers of one network."""
    if network.driver != "bridge":
        if network.among == "bridge":
            return Verdict(True, f"they share network {network.name}")
        if network.among == "private":
            word = "an ipvlan with flag" if network.driver == "ipvlan" else "a macvlan of mode"
            return Verdict(False, f"network {network.name} is {word} private")
        return None
    if not network.options.icc:
        return Verdict(False, f"enable_icc is false on network {network.name}")
    return Verdict(True, f"they share network {network.name}")
