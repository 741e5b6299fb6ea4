# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What the engine passes around: what is wanted, what is asked of the host, what is seen, what is to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Callable, NamedTuple, Optional

from .errors import Missing
from .hosts import HostsFile, HostsKey
from .link import Address, Link, LinkKey
from .namespace import Namespace, NetnsRef
from .passage import Gate
from .service import Service
from .source import SourceRoute
from .state import State, Surroundings
from .text import TextFile, TextKey
from .wireguard import Tunnel
from .wireguard_key import WireguardKey


class Wanted(NamedTuple):
    """One value the user asked for, or asked to be gone.

    `what` is the object in the user's words ("veth_pair web0"), for sentences. `value` is a Namespace, Sysctl,
    Link, LinkRoute, SourceRoute, Snat, Dnat, Segment, Service, HostsBlock, TextFile, Tunnel, WireguardKey or State; with `present` False only
    its identity counts.
    """

    value: Any
    what: str
    owner: str
    present: bool = True
    adopt: bool = False
    recreate: bool = False


@dataclass
class Question:
    """What of the host must be looked at to plan. Questions of several objects are merged by `add`.

    `links` and `addresses` are of whole namespaces. `neighbours` are pairs of them that may hold two ends of one
    link; `users` those whose 802.1Q links of `owners` are to be asked what stands on them. `tenants`: parents, each
    with a kind of children of it that are to be seen in other namespaces too. `owned`: everything
    marked as one of `owners`', wherever on the host. `blocks`: named namespaces whose hosts file counts only where it is
    a plain file and one of `owners` has a block in it. `guests`: small files
    that others may have put there, in whatever form. `survey`: the surroundings, and how the host reaches `peers`. `filters`: as
    `tables`, and what other people's filters do with what ours let through. `forwards`: VXLANs whose entries are to be
    seen, and the permanent neighbours on the bridges that they are ports of; `permanent`: other links whose are. `stations`: ports whose
    fixed MAC addresses are. `tunnels`: WireGuard links; `keys`: those of all topologies. `vxlans`: VXLANs that are to be on the
    host; where one of them is missing, `survey` looks for segments in other namespaces too.
    """

    namespaces: set[NetnsRef] = field(default_factory=set)
    links: set[NetnsRef] = field(default_factory=set)
    addresses: set[NetnsRef] = field(default_factory=set)
    owners: set[str] = field(default_factory=set)
    neighbours: set[tuple[NetnsRef, NetnsRef]] = field(default_factory=set)
    users: set[NetnsRef] = field(default_factory=set)
    tenants: set[tuple[LinkKey, str]] = field(default_factory=set)
    forwards: set[LinkKey] = field(default_factory=set)
    permanent: set[LinkKey] = field(default_factory=set)
    stations: set[LinkKey] = field(default_factory=set)
    sysctls: set[tuple[NetnsRef, tuple[str, ...]]] = field(default_factory=set)
    tables: set[NetnsRef] = field(default_factory=set)
    filters: set[NetnsRef] = field(default_factory=set)
    targets: set[tuple[NetnsRef, Address]] = field(default_factory=set)
    files: set[HostsKey] = field(default_factory=set)
    blocks: set[str] = field(default_factory=set)
    texts: set[TextKey] = field(default_factory=set)
    guests: set[TextKey] = field(default_factory=set)
    sources: set[NetnsRef] = field(default_factory=set)
    services: set[str] = field(default_factory=set)
    tunnels: set[LinkKey] = field(default_factory=set)
    keys: bool = False
    states: bool = False
    peers: set[Address] = field(default_factory=set)
    vxlans: set[LinkKey] = field(default_factory=set)
    survey: bool = False
    owned: bool = False

    def add(self, other: Question) -> None:
        for name, more in vars(other).items():
            if more is True:
                setattr(self, name, True)
            elif more:
                getattr(self, name).update(more)

    def beyond(self, other: Question) -> Question:
        """What this one asks and `other` does not."""
        left = Question(owners=set(self.owners))
        for name, mine in vars(self).items():
            if name != "owners":
                known = getattr(other, name)
                setattr(left, name, mine and not known if isinstance(mine, bool) else mine - known)
        return left

    def __bool__(self) -> bool:
        return any(mine for name, mine in vars(self).items() if name != "owners")


@dataclass
class World:
    """What was seen. Only what the Question named is in it; a namespace that is not in `namespaces` does not exist.

    `missing` is why it does not, where an engine said so. `users` counts, for an 802.1Q link asked about, the links
    anywhere on this machine that stand on it. `tenants` are the asked-for children of a parent in namespaces that were
    not looked at, their own with a name in words. `near` are names close to one that is missing, for "did you mean".
    `left` are names of which a killed run left an empty file, and no namespace. `standing` names the links that stand, or
    once stood, on each: made by _engine/effect.py when it is first needed. A text file that is there and not ours
    has no owner. `states` and `keys` are by topology. `ipv6`: whether the kernel has IPv6 at all.
    """

    namespaces: dict[NetnsRef, Namespace] = field(default_factory=dict)
    missing: dict[NetnsRef, Missing] = field(default_factory=dict)
    links: dict[LinkKey, Link] = field(default_factory=dict)
    users: dict[LinkKey, int] = field(default_factory=dict)
    tenants: dict[LinkKey, tuple[Link, ...]] = field(default_factory=dict)
    sysctls: dict[tuple[NetnsRef, tuple[str, ...]], str] = field(default_factory=dict)
    tables: dict[NetnsRef, Any] = field(default_factory=dict)
    gates: dict[NetnsRef, tuple[Gate, ...]] = field(default_factory=dict)
    targets: dict[tuple[NetnsRef, Address], Any] = field(default_factory=dict)
    files: dict[HostsKey, HostsFile] = field(default_factory=dict)
    texts: dict[TextKey, TextFile] = field(default_factory=dict)
    sources: dict[NetnsRef, frozenset[SourceRoute]] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    tunnels: dict[LinkKey, Tunnel] = field(default_factory=dict)
    keys: dict[str, WireguardKey] = field(default_factory=dict)
    surroundings: Surroundings = field(default_factory=Surroundings)
    standing: Optional[dict[LinkKey, list[LinkKey]]] = field(default=None, compare=False, repr=False)
    near: tuple[str, ...] = ()
    left: frozenset[str] = frozenset()
    ipv6: bool = True

    def add(self, other: World) -> None:
        """What a further look has shown."""
        for name, mine in vars(self).items():
            if isinstance(mine, dict):
                mine.update(getattr(other, name))
        self.near, self.left, self.ipv6 = other.near or self.near, self.left | other.left, other.ipv6

    def copy(self) -> World:
        """A world that can be changed without changing this one: the maps are new, the values are shared."""
        other = replace(self, standing=None)
        for name, mine in vars(self).items():
            if isinstance(mine, dict):
                setattr(other, name, dict(mine))
        return other


class Operation(NamedTuple):
    """One step. `value` says what is touched (its text is the object's name in a report) and carries all the kernel needs.

    `first`: before anything is made, because something else is to take its place.
    """

    action: str
    value: Any
    reason: str
    what: str
    first: bool = False

    def report(self) -> dict[str, str]:
        return {"action": self.action, "object": str(self.value), "reason": self.reason}


@dataclass(frozen=True)
class Plan:
    """The steps in order, what a user should be told, and the world as it will be.

    `before` and `after` map the name of each touched or asked-for object to its managed properties. They are made
    when they are asked for.
    """

    operations: tuple[Operation, ...]
    warnings: tuple[str, ...]
    world: World
    tell: Callable[[], tuple[Mapping[str, Any], Mapping[str, Any]]] = field(compare=False, repr=False)

    @cached_property
    def told(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        return self.tell()

    @property
    def before(self) -> Mapping[str, Any]:
        return self.told[0]

    @property
    def after(self) -> Mapping[str, Any]:
        return self.told[1]
