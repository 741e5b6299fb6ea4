# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Routes by source: rules and tables of their own."""

from __future__ import annotations

from .._model.link import LinkKey
from .._model.namespace import NetnsRef
from .._model.plan import Question, World
from .._model.source import PRIORITY, PROTOCOL, SourceRoute, SourceRule, TableRoute, joined, routes_of, rules_of
from . import rtnetlink as rt
from .netlink import Message, Socket
from .places import Places

# Tables that the kernel fills, and the main one: linux/rtnetlink.h.
COMMON_TABLES = (253, rt.RT_TABLE_MAIN, 255)


def look(places: Places, question: Question, world: World) -> None:
    """Put what is asked for into `world`; of an owner's other namespaces, those that have a rule of ours."""
    owned = {ref for ref in question.links if ref is not None} if question.owned else set()
    for ref in (question.sources | owned) & world.namespaces.keys():
        socket = places.socket(ref)
        rules = _rules(socket)
        if rules or ref in question.sources:
            world.sources[ref] = _seen(socket, ref, rules)


def _rules(socket: Socket) -> list[SourceRule]:
    rules = []
    for payload in socket.dump(rt.get_rules()):
        rule = rt.read_rule(payload)
        if rule and (rule.priority, rule.protocol) == (PRIORITY, PROTOCOL):
            rules.append(SourceRule(rule.source, rule.table))
    return rules


def _seen(socket: Socket, ref: NetnsRef, rules: list[SourceRule]) -> frozenset[SourceRoute]:
    names: dict[int, str] = {}
    routes = []
    for family in rt.FAMILIES.values():
        for payload in socket.dump(rt.get_routes(family, table=0)):
            at, protocol = rt.table_of(payload)
            route = rt.read_route(payload, table=at)
            if not route or not route.lasting or at in COMMON_TABLES:
                continue
            to, via, _metric = route.route
            foreign = protocol != PROTOCOL
            if not foreign or to.prefixlen == 0:
                link = LinkKey(ref, _name(socket, route.link, names))
                routes.append(TableRoute(link, to, via, at, foreign))
    return joined(ref, rules, routes)


def _name(socket: Socket, index: int, names: dict[int, str]) -> str:
    if index not in names:
        names[index] = rt.link_name(socket.get(rt.get_link_at(index)))
    return names[index]


def encode(index: int, new: bool, value: SourceRoute) -> tuple[NetnsRef, list[Message]]:
    """Where to send it and what: the parts that `value` has. The table is filled before the rule leads there."""
    kind = rt.RTM_NEWROUTE if new else rt.RTM_DELROUTE
    routes = [rt.table_route_message(kind, index, (one.to, one.via), one.table, PROTOCOL) for one in routes_of([value])]
    kind = rt.RTM_NEWRULE if new else rt.RTM_DELRULE
    rules = [
        rt.rule_message(kind, rt.FromRule(one.address, one.table, PRIORITY, PROTOCOL)) for one in rules_of([value])
    ]
    return value.link.netns, routes + rules if new else rules + routes[::-1]
