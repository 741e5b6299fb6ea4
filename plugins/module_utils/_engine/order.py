# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""In which order the steps of a plan are done: closed until opened.

While links go and come, the packet filter lets through what it let through before *and* is to let through afterwards:
what closes comes before all of that, what opens after it, and what guards goes last. So no link is up and no port is
reachable before the rules that guard it stand, nor after they have gone, and a run that dies leaves nothing open.
nftables knows interfaces by name, so a link can be guarded before it is there.

Rules are changed in one transaction for each namespace where nothing else happens in between (see _kernel/apply.py), else
in two, rarely three: CLOSE and GUARD, OPEN, UNGUARD. parts.py divides what belongs to several of them.
"""

from __future__ import annotations

from enum import IntEnum

from .._model.filter import GUARDS
from .._model.hosts import HostsChange
from .._model.link import Birth, Link, LinkAddress, LinkNeighbour, LinkRoute, LinkStation, Settings
from .._model.namespace import Namespace, Sysctl
from .._model.passage import Passage
from .._model.plan import Operation
from .._model.rule import Dnat, RuleChange, Switch, TableChange
from .._model.segment import SegmentChange
from .._model.service import ServiceChange
from .._model.source import SourceRoute
from .._model.state import State
from .._model.text import TextFile
from .._model.vxlan import LinkForward
from .._model.wireguard import TunnelChange
from .._model.wireguard_key import WireguardKey
from .inheritance import lateness


class Step(IntEnum):
    """From what others stand on to what stands on it; the planner's order is kept within a step."""

    # What was chosen for a run that is cut short is chosen again by the next.
    SAVE = 0
    # What something else is to take the place of; names that are to name another namespace; services in a deleted one.
    MAKE_WAY = 1
    MAKE_WAY_FOR_NAME = 2
    MAKE_WAY_FOR_SERVICE = 3
    KEY = 5
    # Links and rules are made in them.
    NAMESPACE = 10
    SECOND_NAME = 11
    # route_localnet is never on without the rules that make it safe. In other people's filters nothing of ours is let through.
    SWITCH_OFF = 20
    PASSAGE_GOES = 21
    # Published ports that go: their address may be another container's in a moment.
    CLOSE = 23
    # Tables, filters of bridges, hidden sources: before anything is up that they are about.
    GUARD = 24
    # Links are born down, and their MTU: a child has no more than its parent, and a bridge that was told its own keeps
    # it when a port with less comes. Those that others stand on come first.
    BIRTH = 30
    SETTINGS = 32
    # A WireGuard opens its port as soon as it is up.
    TUNNEL = 34
    # Before the first packet. One that changes others before those (see inheritance.py); forwarding of IPv6 one and two
    # later: it drops a router's default route unless its link has accept_ra 2 by then.
    SYSCTL = 36
    # A DHCP client gives its lease back by the link that goes.
    CLIENT_GOES = 40
    # What goes is down before anything comes up: an address, an entry or a MAC address may come back elsewhere.
    DOWN = 42
    UNSET = 44
    LINK_GOES = 46
    # Routes need links that are up, next hops need addresses. Entries of a VXLAN and neighbours come with the routes.
    UP = 50
    ADDRESS = 52
    ROUTE = 54
    # Questions are sent to name servers that are there.
    SERVICE = 60
    # Published ports and other openings: what serves them is there, so nothing is sent to nowhere.
    OPEN = 70
    SWITCH_ON = 72
    # What is let through other people's filters is marked by the rules.
    PASSAGE = 74
    # Nobody is sent to these name servers any more.
    SERVICE_GOES = 76
    # Nothing is left that they guard.
    UNGUARD = 80
    # Hosts files name addresses.
    HOSTS = 84
    TEXT = 86
    HOSTS_GOES = 88
    TEXT_GOES = 90
    NAMESPACE_GOES = 92
    KEY_GOES = 94
    # The saved specification, when all of it is gone, or where the one before was needed to know what has to go.
    FORGET = 96
    SAVE_LAST = 98


STEPS: dict[type, dict[str, Step]] = {
    State: {"create": Step.SAVE, "set": Step.SAVE, "delete": Step.FORGET},
    Namespace: {
        "create": Step.NAMESPACE,
        "set": Step.NAMESPACE,
        "delete": Step.NAMESPACE_GOES,
        "release": Step.NAMESPACE_GOES,
    },
    Birth: {"create": Step.BIRTH},
    Settings: {"set": Step.SETTINGS, "release": Step.LINK_GOES},
    Sysctl: {"set": Step.SYSCTL},
    TunnelChange: {"set": Step.TUNNEL},
    WireguardKey: {"create": Step.KEY, "set": Step.KEY, "delete": Step.KEY_GOES},
    LinkAddress: {"remove": Step.UNSET, "add": Step.ADDRESS},
    LinkRoute: {"remove": Step.UNSET, "add": Step.ROUTE},
    SourceRoute: {"remove": Step.UNSET, "add": Step.ROUTE},
    LinkForward: {"remove": Step.UNSET, "add": Step.ROUTE},
    LinkNeighbour: {"remove": Step.UNSET, "add": Step.ROUTE},
    LinkStation: {"remove": Step.UNSET, "add": Step.ROUTE},
    Link: {"delete": Step.LINK_GOES},
    ServiceChange: {"create": Step.SERVICE, "set": Step.SERVICE, "delete": Step.SERVICE_GOES},
    Switch: {"clear": Step.SWITCH_OFF, "set": Step.SWITCH_ON},
    Passage: {"create": Step.PASSAGE, "set": Step.PASSAGE, "delete": Step.PASSAGE_GOES},
    HostsChange: {"create": Step.HOSTS, "set": Step.HOSTS, "delete": Step.HOSTS_GOES},
    TextFile: {"create": Step.TEXT, "set": Step.TEXT, "delete": Step.TEXT_GOES},
}
# Which part of a rule's or filter's change comes when.
RULES = (RuleChange, SegmentChange, TableChange)
PUBLISHED = {"delete": Step.CLOSE, "set": Step.GUARD, "create": Step.OPEN}
# All of these have their try; a plan goes on after an error in one of them.
REMOVAL = frozenset(
    {
        Step.PASSAGE_GOES,
        Step.CLIENT_GOES,
        Step.UNSET,
        Step.LINK_GOES,
        Step.SERVICE_GOES,
        Step.UNGUARD,
        Step.HOSTS_GOES,
        Step.TEXT_GOES,
        Step.NAMESPACE_GOES,
        Step.KEY_GOES,
        Step.FORGET,
    }
)


def rank(operation: Operation) -> int:
    action, value = operation.action, operation.value
    if operation.first:
        return _making_way(value)
    if isinstance(value, RULES):
        return _of_rule(action, value)
    if isinstance(value, Namespace) and value.same_as and action == "create":
        return Step.SECOND_NAME
    if isinstance(value, State) and value.meanwhile is not None:
        return Step.SAVE_LAST
    if isinstance(value, ServiceChange) and action == "delete" and value.service.netns is not None:
        return Step.CLIENT_GOES
    if isinstance(value, Settings) and "mtu" in value.changes:
        return Step.BIRTH
    if isinstance(value, Settings) and "up" in value.changes:
        return Step.UP if value.changes["up"] else Step.DOWN
    late = lateness(value.path) if isinstance(value, Sysctl) else 0
    return STEPS[type(value)][action] + late


def _making_way(value: object) -> Step:
    if isinstance(value, Namespace):
        return Step.MAKE_WAY_FOR_NAME
    return Step.MAKE_WAY_FOR_SERVICE if isinstance(value, ServiceChange) else Step.MAKE_WAY


def _of_rule(action: str, value: object) -> Step:
    if isinstance(value, TableChange):
        return Step.UNGUARD if value.drop or value.bridge is False else Step.GUARD
    if isinstance(value, RuleChange):
        if isinstance(value.rule, Dnat):
            return PUBLISHED[action]
        return Step.UNGUARD if action == "delete" else Step.GUARD
    if not isinstance(value, SegmentChange) or action == "create":
        return Step.GUARD
    if action == "delete":
        return Step.UNGUARD
    if value.add:
        return Step.GUARD if any(element.set in GUARDS for element in value.add) else Step.OPEN
    guards = value.remove and all(element.set in GUARDS for element in value.remove)
    return Step.UNGUARD if guards else Step.GUARD
