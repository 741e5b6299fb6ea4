# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of routes by source: what is missing of rule and routes comes, what leads elsewhere goes, what others made stays."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.effect import effect
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import plan, question
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict, Missing
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import (
    Link,
    LinkAddress,
    LinkKey,
    Other,
    Settings,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Operation, Wanted, World
from ansible_collections.netwright.docknet.plugins.module_utils._model.source import (
    SourceRoute,
    joined,
    routes_of,
    rules_of,
)
from hypothesis import given
from hypothesis import strategies as st

ETH0, ETH1 = LinkKey("web", "eth0"), LinkKey("web", "eth1")
NOWHERE = LinkKey("web", "")
MINE, GATEWAY, NETWORK = ip_address("10.2.0.5"), ip_address("10.2.0.1"), ip_network("10.2.0.0/24")
WANT = SourceRoute(ETH1, MINE, GATEWAY, 1001)
WHOLE = WANT._replace(network=NETWORK)
SECOND = WHOLE._replace(address=ip_address("10.2.0.6"))
SIXTH = SourceRoute(ETH1, ip_address("fd02::5"), ip_address("fd02::1"), 1001, ip_network("fd02::/64"))
BARE = SourceRoute(NOWHERE, MINE, None, 1001)


def want(value=WANT, present=True):
    return Wanted(value, "topology shop", "shop", present)


def host(*sources, up=True, **other):
    addresses = map(ip_interface, ("10.2.0.5/24", "10.2.0.6/24", "fd02::5/64"))
    links = {ETH1: Link(ETH1, data=Other("veth"), up=up, addresses=frozenset(addresses))}
    return World(
        namespaces={None: Namespace(""), "web": Namespace("web")},
        **{"links": links, "sources": {"web": frozenset(sources)}, **other},
    )


def steps(world, *wanted):
    """What is done, in order; and that it is then done, without a further step."""
    made = plan(wanted, world)
    assert not plan(wanted, made.world).operations
    return [(one.action, one.value) for one in made.operations]


def test_what_is_missing_comes_with_the_links_subnet():
    assert steps(host(), want()) == [("add", WHOLE)]
    assert steps(host(WHOLE), want()) == []
    made = plan([want()], host())
    assert made.before == {str(WANT): None}
    shown = {"via": "10.2.0.1", "table": 1001, "interface": "eth1", "subnet": "10.2.0.0/24"}
    assert made.after == {str(WANT): shown}
    assert made.operations[0].report() == {
        "action": "add",
        "object": "source route from 10.2.0.5 via 10.2.0.1 through eth1 in web",
        "reason": "missing",
    }


@pytest.mark.parametrize(
    ("seen", "added", "reason"),
    [
        ([BARE], WHOLE._replace(address=None), "its route is gone"),
        ([WHOLE._replace(gateway=None)], WHOLE._replace(address=None, network=None), "its route is gone"),
        ([WHOLE._replace(network=None)], WHOLE._replace(address=None, gateway=None), "its route is gone"),
        ([WHOLE._replace(address=None)], WHOLE._replace(gateway=None, network=None), "missing"),
        ([SIXTH], WHOLE, "missing"),
    ],
)
def test_only_the_missing_part_comes(seen, added, reason):
    made = plan([want()], host(*seen))
    assert [(one.action, one.value, one.reason) for one in made.operations] == [("add", added, reason)]
    assert WHOLE in made.world.sources["web"]


def test_two_addresses_of_a_link_share_the_routes_which_go_with_the_last():
    both = [want(), want(SECOND)]
    assert steps(host(), *both) == [("add", WHOLE), ("add", SECOND._replace(gateway=None, network=None))]
    assert steps(host(WHOLE, SECOND), want(present=False)) == [
        ("remove", WHOLE._replace(gateway=None, network=None)),
    ]
    gone = [want(present=False), want(SECOND, present=False)]
    assert steps(host(WHOLE, SECOND), *gone) == [
        ("remove", WHOLE._replace(gateway=None, network=None)),
        ("remove", SECOND),
    ]


def test_both_families_have_one_table_number():
    assert steps(host(WHOLE, SIXTH), want(present=False)) == [("remove", WHOLE)]
    assert steps(host(), want(), want(SIXTH)) == [("add", WHOLE), ("add", SIXTH)]


def test_a_table_that_leads_elsewhere_is_led_right():
    old = WHOLE._replace(gateway=ip_address("10.2.0.254"))
    assert steps(host(old), want()) == [
        ("remove", old._replace(address=None, network=None)),
        ("add", WHOLE._replace(address=None, network=None)),
    ]
    other = WHOLE._replace(link=ETH0)
    links = {**host().links, ETH0: Link(ETH0, data=Other("veth"), up=True)}
    assert steps(host(other, links=links), want()) == [
        ("remove", other._replace(address=None)),
        ("add", WHOLE._replace(address=None)),
    ]
    wide = WHOLE._replace(network=ip_network("10.2.0.0/16"))
    assert steps(host(wide), want()) == [
        ("remove", wide._replace(address=None, gateway=None)),
        ("add", WHOLE._replace(address=None, gateway=None)),
    ]


def test_a_rule_to_another_table_goes():
    old = WHOLE._replace(table=1002)
    assert steps(host(old), want()) == [("remove", old), ("add", WHOLE)]


def test_somebody_elses_default_route_in_the_table_stays():
    theirs = SourceRoute(ETH0, None, ip_address("10.9.0.1"), 1001, ip_network("0.0.0.0/0"), foreign=True)
    with pytest.raises(Conflict, match=r"routing table 1001 in web has a default route via 10.9.0.1 through eth0"):
        plan([want()], host(theirs))
    assert steps(host(theirs, BARE), want(present=False)) == [("remove", BARE)]
    assert steps(host(theirs), want(theirs, present=False)) == []
    # IPv6 has tables of its own.
    assert steps(host(theirs), want(SIXTH)) == [("add", SIXTH)]


@pytest.mark.parametrize("seen", [BARE, WHOLE, WHOLE._replace(gateway=None), WHOLE._replace(address=None)])
def test_whatever_is_left_of_one_can_be_removed_as_it_was_seen(seen):
    world = host(seen)
    assert steps(world, want(seen, present=False)) == [("remove", seen)]


def test_absent_finds_it_wherever_it_leads_and_needs_no_namespace():
    other = WHOLE._replace(gateway=ip_address("10.2.0.254"), link=ETH0)
    assert steps(host(other), want(present=False)) == [("remove", other)]
    assert steps(World(namespaces={None: Namespace("")}), want(present=False)) == []


def test_a_link_that_is_down_or_missing():
    assert steps(host(up=False), want()) == []
    with pytest.raises(Missing, match='link "eth1" does not exist in web'):
        plan([want()], host(links={}))
    made = plan([want()], host(links={}), assume=True)
    assert [one.value for one in made.operations] == [WANT] and made.warnings
    with pytest.raises(Missing, match='namespace "web" does not exist'):
        plan([want()], World())


def test_what_is_looked_at():
    asked = question([want()])
    assert asked.sources == asked.links == asked.addresses == asked.namespaces == {"web"}
    assert not question([want(present=False)]).links


def test_what_happens_to_a_link_happens_to_its_routes():
    """As tests/kernel/test_source.py sees it of the kernel."""

    def after(action, value):
        world = host(WHOLE, SIXTH)
        effect(world, Operation(action, value, "", ""))
        return world.sources.get("web")

    rules = {BARE, SourceRoute(NOWHERE, SIXTH.address, None, 1001)}
    assert after("delete", host().links[ETH1]) == rules
    assert after("set", Settings(ETH1, {"up": False})) == rules
    assert after("remove", LinkAddress(ETH1, ip_interface("fd02::5/64"))) == {WHOLE, SIXTH}
    assert after("remove", LinkAddress(ETH1, ip_interface("10.2.0.5/24"))) == {BARE, SIXTH}
    assert after("delete", Namespace("web")) is None


PARTS = [
    one._replace(table=table)
    for table in (1001, 1002)
    for one in (WHOLE, SECOND, SIXTH, BARE, WHOLE._replace(link=ETH0), WHOLE._replace(address=None))
]


@given(st.lists(st.sampled_from(PARTS)))
def test_what_is_joined_falls_into_the_same_parts_again(values):
    once = joined("web", dict.fromkeys(rules_of(values)), dict.fromkeys(routes_of(values)))
    assert joined("web", dict.fromkeys(rules_of(once)), dict.fromkeys(routes_of(once))) == once


@given(st.sets(st.sampled_from(PARTS)), st.booleans())
def test_from_anything_to_what_is_wanted_in_one_run(seen, present):
    seen = joined("web", dict.fromkeys(rules_of(seen)), dict.fromkeys(routes_of(seen)))
    steps(host(*seen), want(present=present))
