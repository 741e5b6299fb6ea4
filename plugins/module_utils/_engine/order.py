# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""In which order the steps of a plan are done.

Set-up goes from what others stand on to what stands on it; removal the other way round:

 0  the saved specification: what was chosen for a run that is cut short is chosen again by the next; 5 a WireGuard's key
 1  what something else is to take the place of; 2 names of namespaces that are to name another one; 3 services that
    run in a namespace that was deleted
10  namespaces: links are made in them; 11 second names of them
20  links and their MTU, those that others stand on first (the planner's order is kept within a step): a child is born with
    no more than its parent has, and a bridge that was told its own keeps it when a port with less comes
30  settings of links: a second master, marks
35  what a WireGuard interface is told: it opens its port as soon as it is up
40  kernel settings of a link: before its first packet; one that changes others before those (see inheritance.py); 41 and 42
    forwarding of IPv6, which drops a router's default route unless its link has accept_ra 2 by then
50  up: routes need it
60  addresses and routes that go: one of them may come back elsewhere
70  addresses, then 80 routes: a next hop must be on a link; and what goes with it: entries of a VXLAN, neighbours
85  services that come or change: the rules send questions to them
90  a switch that goes: route_localnet is never on without the rules that make it safe
100 rules: the packets' way is there, so nothing is sent to nowhere; all of a namespace in one transaction
110 a switch that comes, for the same reason
112 what lets our packets through other people's filters: they are marked by the rules
120 hosts files: they name addresses; 122 other files; then 130 and 132 what goes of them
135 services that go: nobody is sent to them any more
137 what let our packets through other people's filters
140 links that go or are given back, then 150 namespaces: after the rules that sent packets there; 155 the key of a WireGuard that is gone
160 the saved specification, when all of it is gone
165 the saved specification, where the one before was needed to know what has to go
"""

from __future__ import annotations

from .._model.hosts import HostsChange
from .._model.link import Birth, Link, LinkAddress, LinkNeighbour, LinkRoute, LinkStation, Settings
from .._model.namespace import Namespace, Sysctl
from .._model.passage import Passage
from .._model.plan import Operation
from .._model.rule import RuleChange, Switch, TableChange
from .._model.segment import SegmentChange
from .._model.service import ServiceChange
from .._model.source import SourceRoute
from .._model.state import State
from .._model.text import TextFile
from .._model.vxlan import LinkForward
from .._model.wireguard import TunnelChange
from .._model.wireguard_key import WireguardKey
from .inheritance import lateness

RANKS: dict[type, dict[str, int]] = {
    State: {"create": 0, "set": 0, "delete": 160},
    Namespace: {"create": 10, "set": 10, "delete": 150, "release": 150},
    Birth: {"create": 20},
    Settings: {"set": 30, "release": 140},
    Sysctl: {"set": 40},
    TunnelChange: {"set": 35},
    WireguardKey: {"create": 5, "set": 5, "delete": 155},
    LinkAddress: {"remove": 60, "add": 70},
    LinkRoute: {"remove": 60, "add": 80},
    SourceRoute: {"remove": 60, "add": 80},
    LinkForward: {"remove": 60, "add": 80},
    LinkNeighbour: {"remove": 60, "add": 80},
    LinkStation: {"remove": 60, "add": 80},
    Link: {"delete": 140},
    ServiceChange: {"create": 85, "set": 85, "delete": 135},
    Switch: {"clear": 90, "set": 110},
    TableChange: {"create": 100, "set": 100, "delete": 100},
    SegmentChange: {"create": 100, "set": 100, "delete": 100},
    RuleChange: {"create": 100, "set": 100, "delete": 100},
    Passage: {"create": 112, "set": 112, "delete": 137},
    HostsChange: {"create": 120, "set": 120, "delete": 130},
    TextFile: {"create": 122, "set": 122, "delete": 132},
}
MTU, UP, LAST = 20, 50, 165
FIRST, FIRST_NAME, FIRST_SERVICE = 1, 2, 3
SECOND_NAME = {"create": 11, "set": 10, "delete": 150}
REMOVAL = (60, 130, 132, 135, 137, 140, 150, 155, 160)


def rank(operation: Operation) -> int:
    if isinstance(operation.value, Namespace) and (operation.first or operation.value.same_as):
        return FIRST_NAME if operation.first else SECOND_NAME[operation.action]
    if operation.first and isinstance(operation.value, ServiceChange):
        return FIRST_SERVICE
    if operation.first:
        return FIRST
    if isinstance(operation.value, State) and operation.value.meanwhile is not None:
        return LAST
    if isinstance(operation.value, Sysctl):
        return RANKS[Sysctl][operation.action] + lateness(operation.value.path)
    if isinstance(operation.value, Settings) and {"mtu", "up"} & operation.value.changes.keys():
        return MTU if "mtu" in operation.value.changes else UP
    return RANKS[type(operation.value)][operation.action]
