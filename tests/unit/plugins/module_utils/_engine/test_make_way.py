# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to go before something else can come: a route's place, what a deleted namespace has left, a service in one."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import plan
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey, Route
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Wanted
from ansible_collections.netwright.docknet.plugins.module_utils._model.service import Service
from ansible_collections.netwright.docknet.plugins.module_utils._model.veth import Veth
from ansible_collections.netwright.docknet.tests.worlds import bare

WEB, ETH0, ETH1 = Namespace("web", owner="shop"), LinkKey("web", "eth0"), LinkKey("web", "eth1")


def wish(value, present=True, owner="shop"):
    return Wanted(value, str(value), owner, present)


def steps(*wanted, world):
    return [(one.action, str(one.value), one.reason) for one in plan(wanted, world).operations]


def default(via):
    return Route(ip_network("0.0.0.0/0"), ip_address(via), 0)


def end(world, key, peer, owner="shop", **words):
    """A pair of which one end is in the container, with an address and maybe a default route."""
    old = world.links[LinkKey(None, "lan0")]
    mark = f"docknet@{owner}@{key.name}"
    world.links[key] = replace(old, key=key, data=Veth(peer), owner=owner, altname=mark, **words)
    return world.links[key]


def two_ways():
    world = bare()
    world.namespaces["web"] = WEB
    for key, name, subnet in ((ETH0, "v0", "10.0.0."), (ETH1, "v1", "10.0.1.")):
        ways = frozenset({default(f"{subnet}1")} if key == ETH1 else ())
        addresses = frozenset({ip_interface(f"{subnet}2/24")})
        end(world, key, LinkKey(None, name), addresses=addresses, gateways=ways)
        end(world, LinkKey(None, name), key)
    return world


def test_a_route_s_place_is_free_before_another_link_s_takes_it():
    world = two_ways()
    stays = Link(ETH0, addresses=world.links[ETH0].addresses, gateways=frozenset({default("10.0.0.1")}))
    found = steps(wish(stays), wish(Link(LinkKey(None, "v1"), data=Veth(ETH1)), present=False), world=world)
    assert [one[:2] for one in found] == [
        ("remove", f"route {default('10.0.1.1')} through eth1 in web"),
        ("delete", "link v1"),
        ("add", f"route {default('10.0.0.1')} through eth0 in web"),
    ]


def test_a_route_of_a_link_that_stays_is_in_the_way_as_ever():
    world = two_ways()
    stays = Link(ETH0, addresses=world.links[ETH0].addresses, gateways=frozenset({default("10.0.0.1")}))
    with pytest.raises(Conflict, match="one to there with this metric is there through eth1 in web"):
        plan([wish(stays)], world)


def left_over(owner="shop"):
    """The host's end of a pair whose other end is in a namespace that was deleted while a process was in it."""
    world = bare()
    end(world, LinkKey(None, "v0"), LinkKey("another namespace", "#2"), owner=owner)
    return world, [
        wish(WEB),
        wish(Link(LinkKey(None, "v0"), data=Veth(ETH0), owner="shop")),
        wish(Link(ETH0, data=Veth(LinkKey(None, "v0")), owner="shop")),
    ]


@pytest.mark.parametrize("turned", [False, True])
def test_what_a_deleted_namespace_has_left_makes_way(turned):
    world, wanted = left_over()
    found = steps(*(wanted[::-1] if turned else wanted), world=world)
    assert found[0] == ("delete", "link v0", "left over from a namespace that was deleted")
    assert ("create", "netns web", "missing") in found


def test_what_is_in_a_namespace_that_is_there_makes_no_way():
    world, wanted = left_over()
    world.namespaces["web"] = WEB
    with pytest.raises(Conflict, match="another identity"):
        plan(wanted, world)


def test_what_another_owner_has_left_makes_no_way():
    world, wanted = left_over(owner="farm")
    with pytest.raises(Conflict, match="farm"):
        plan(wanted, world)


def test_a_service_of_a_deleted_namespace_ends_before_anything_is_made():
    world = bare()
    service = Service("client", "shop", "web", ("udhcpc",))
    world.services["client"] = replace(service, running=False)
    assert [one[:2] for one in steps(wish(WEB), wish(service), world=world)] == [
        ("delete", "service client in web"),
        ("create", "netns web"),
        ("create", "service client in web"),
    ]
