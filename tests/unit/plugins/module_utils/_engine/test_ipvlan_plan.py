# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Children of one parent: who can stand beside whom, what changes for all of them, and who goes first."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import plan, question
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict, InvalidRequest
from ansible_collections.netwright.docknet.plugins.module_utils._model.ipvlan import Ipvlan
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.macvlan import Macvlan
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Wanted
from ansible_collections.netwright.docknet.tests.worlds import bare

LAN = LinkKey(None, "lan0")
L2, L3 = Ipvlan(LAN, "l2", "bridge"), Ipvlan(LAN, "l3", "bridge")
MACVLAN = Macvlan(LAN, "bridge")


def child(name, data, last=None, owner="shop"):
    addresses = None if last is None else frozenset({ip_interface(f"10.0.0.{last}/24")})
    return Link(LinkKey(name, "eth0"), data=data, owner=owner, up=True, addresses=addresses)


def wish(value, present=True, recreate=False):
    return Wanted(value, f"ipvlan_net {getattr(value, 'key', value)}", "shop", present, recreate=recreate)


def on(*children):
    """A world in which these stand on lan0, each in a container of its own."""
    world = bare()
    for name in ("web", "db"):
        world.namespaces[name] = Namespace(name, owner="shop", marked=True, up=True)
    for one in children:
        mark = f"docknet@{one.owner}@eth0"
        seen = replace(world.links[LAN], key=one.key, data=one.data, owner=one.owner, altname=mark, up=True)
        world.links[one.key] = replace(seen, addresses=one.addresses or frozenset())
    return world


def steps(found):
    return [(one.action, str(one.value)) for one in found.operations]


def test_only_ipvlan_has_to_know_of_macvlans_and_of_its_like():
    assert question([wish(child("web", L2))]).tenants == {(LAN, "ipvlan"), (LAN, "macvlan")}
    assert question([wish(child("web", MACVLAN))]).tenants == {(LAN, "ipvlan")}
    assert not question([wish(child("web", Ipvlan()), present=False)]).tenants


@pytest.mark.parametrize(("mine", "its", "owner"), [(L2, MACVLAN, "shop"), (MACVLAN, L2, None), (L2, L3, "farm")])
@pytest.mark.parametrize("in_sight", [True, False])
def test_who_cannot_stand_beside_it_is_named(mine, its, owner, in_sight):
    other = child("db", its, 3, owner)
    world = on(other) if in_sight else on()
    world.tenants = {} if in_sight else {LAN: (other,)}
    with pytest.raises(Conflict, match=f'"eth0 in db".*{owner or "that we did not make"}'):
        plan([wish(child("web", mine, 2))], world)


def test_two_macvlans_go_together_whatever_their_modes():
    assert plan([wish(child("web", Macvlan(LAN, "vepa"), 2))], on(child("db", MACVLAN, 3, "farm"))).operations


def test_in_one_run_all_of_a_parent_agree():
    with pytest.raises(InvalidRequest, match=r"does not go with ipvlan_net eth0 in web.*one mode and one flag"):
        plan([wish(child("web", L2, 2)), wish(child("db", L3, 3))], on())
    with pytest.raises(InvalidRequest, match="ipvlan and macvlan cannot stand on one interface"):
        plan([wish(child("web", L2, 2)), wish(child("db", MACVLAN, 3))], on())
    with pytest.raises(InvalidRequest, match=r"its address 10.0.0.2 is ipvlan_net eth0 in web's"):
        plan([wish(child("web", L2, 2)), wish(child("db", L2, 2))], on())


def test_a_change_of_one_is_a_change_of_all_and_told():
    found = plan([wish(child("web", L3, 2))], on(child("web", L2, 2), child("db", L2, 3)))
    assert steps(found) == [("set", "link eth0 in web")]
    assert found.world.links[LinkKey("db", "eth0")].data == L3
    assert found.warnings == (
        'ipvlan_net eth0 in web: mode and flag of "eth0 in db" change too: all ipvlans of one parent have one mode and one flag',
    )
    both = plan([wish(child("web", L3, 2)), wish(child("db", L3, 3))], on(child("web", L2, 2), child("db", L2, 3)))
    assert steps(both) == [("set", "link eth0 in web")] and not both.warnings
    born = plan([wish(child("web", L3, 2))], on(child("db", L2, 3)))
    assert born.world.links[LinkKey("db", "eth0")].data == L3


def test_one_that_leaves_makes_room_before_the_other_comes():
    world = on(child("db", MACVLAN, 3))
    found = plan([wish(child("web", L2, 2)), wish(Namespace("db"), present=False)], world)
    assert steps(found)[:2] == [("delete", "link eth0 in db"), ("create", "link eth0 in web")]
    world = on(child("db", L2, 2))
    found = plan([wish(child("web", L2, 2)), wish(child("db", Ipvlan()), present=False)], world)
    assert steps(found)[:2] == [("delete", "link eth0 in db"), ("create", "link eth0 in web")]


def test_an_address_that_stays_with_another_is_refused_and_one_that_moves_is_not():
    world = on(child("web", L2, 2), child("db", L2, 3))
    with pytest.raises(Conflict, match=r'its address 10.0.0.3 is that of "eth0 in db"'):
        plan([wish(child("web", L2, 3))], world)
    swapped = plan([wish(child("web", L2, 3)), wish(child("db", L2, 2))], world)
    assert [action for action, _value in steps(swapped)] == ["remove", "remove", "add", "add"]


def test_macvlans_become_ipvlans_all_at_once_with_recreate():
    wanted = [wish(child(name, L2, last), recreate=True) for name, last in (("web", 2), ("db", 3))]
    found = plan(wanted, on(child("web", MACVLAN, 2), child("db", MACVLAN, 3)))
    assert [action for action, _value in steps(found)][:4] == ["delete", "delete", "create", "create"]
