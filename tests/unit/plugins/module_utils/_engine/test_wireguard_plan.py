# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of what a WireGuard interface is told, and of a host's key."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address as A
from ipaddress import ip_network as N

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.order import Step, rank
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import plan, question
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Missing
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Wanted, World
from ansible_collections.netwright.docknet.plugins.module_utils._model.wireguard import Peer, Tunnel
from ansible_collections.netwright.docknet.plugins.module_utils._model.wireguard_key import PublicKey, WireguardKey
from hypothesis import given
from hypothesis import strategies as st

LINK = LinkKey(None, "wg-1f0c")
OURS, THEIRS, OTHER = (f"{letter * 42}A=" for letter in "abc")
OLD, NEW = A("192.0.2.2"), A("192.0.2.3")
NODE2 = Peer(THEIRS, (OLD, 51820), frozenset({N("fd00::2")}), "node2")
NODE3 = Peer(OTHER, (NEW, 51821), frozenset({N("fd00::3")}), "node3")
TUNNEL = Tunnel(LINK, "shop", OURS, 51820, (NODE2, NODE3))


def want(tunnel=TUNNEL):
    return Wanted(tunnel, "topology shop", "shop")


def seen(*peers, key=OURS, port=51820):
    """A world as the kernel tells it: it knows no names of hosts."""
    plain = tuple(one._replace(host="", before=None) for one in peers)
    return World(tunnels={LINK: Tunnel(LINK, "", key, port, plain)})


def steps(tunnel, world, **words):
    return plan([want(tunnel)], world, **words).operations


def test_it_is_asked_what_it_was_told():
    assert question([want()]).tunnels == {LINK}


def test_a_new_one_is_told_everything_and_then_nothing_more():
    made = plan([want()], World())
    (step,) = made.operations
    assert step.value.rekey and step.value.add == (NODE2, NODE3) and not step.value.remove
    assert step.reason == "it is to have the host's key, port none -> 51820, host node2 is new and more"
    assert plan([want()], made.world).operations == ()


def test_one_that_is_as_it_should_be_is_left_alone():
    assert steps(TUNNEL, seen(NODE3, NODE2)) == ()


def test_only_who_changes_is_told_anew_so_the_others_keep_their_sessions():
    moved = replace(TUNNEL, peers=(NODE2._replace(key=OURS.replace("a", "d")), NODE3))
    (step,) = steps(moved, seen(NODE2, NODE3))
    assert [one.host for one in step.value.add] == ["node2"]
    assert [one.key for one in step.value.remove] == [THEIRS]
    assert not step.value.rekey


def test_a_peer_of_no_host_goes():
    (step,) = steps(replace(TUNNEL, peers=(NODE3,)), seen(NODE2, NODE3))
    assert step.reason == f"peer {THEIRS} is none of its hosts' any more"
    assert (step.value.add, [one.key for one in step.value.remove]) == ((), [THEIRS])


def test_another_key_or_port_is_set():
    (step,) = steps(TUNNEL, seen(NODE2, NODE3, key=OTHER))
    assert step.value.rekey and not step.value.add
    (step,) = steps(TUNNEL, seen(NODE2, NODE3, port=1))
    assert (step.reason, step.value.rekey) == ("port 1 -> 51820", False)


@pytest.mark.parametrize(
    "heard, before, at, told",
    [
        (False, None, NEW, True),
        (True, None, NEW, False),
        (True, NEW, NEW, True),
        (True, NEW, A("192.0.2.9"), False),
        (False, NEW, OLD, False),
    ],
    ids=["never-heard", "roams", "still-at-its-old-address", "roams-from-elsewhere", "is-there"],
)
def test_where_a_peer_is(heard, before, at, told):
    """It is wanted at OLD; WireGuard knows it at `at`."""
    wanted = replace(TUNNEL, peers=(NODE2._replace(before=before), NODE3))
    there = NODE2._replace(endpoint=(at, 51820), heard=heard)
    found = steps(wanted, seen(there, NODE3))
    assert bool(found) == told
    if told:
        assert found[0].reason == "host node2 is reached elsewhere"


def test_who_may_send_from_more_than_his_own_is_put_right():
    wide = NODE2._replace(allowed=frozenset({N("::/0")}), heard=True)
    (step,) = steps(TUNNEL, seen(wide, NODE3))
    assert step.reason == "host node2 may send from other addresses"


@pytest.mark.parametrize(
    "tunnel, why",
    [
        (replace(TUNNEL, key=""), "this host has no WireGuard key for it; make it first, with module wireguard_key"),
        (
            replace(TUNNEL, peers=(NODE2, NODE3._replace(key=""))),
            "the public key of host node3 is not known; give what",
        ),
    ],
)
def test_a_key_that_is_not_there_is_an_error_and_in_check_mode_a_warning(tunnel, why):
    with pytest.raises(Missing) as error:
        steps(tunnel, World())
    assert why in str(error.value)
    assumed = plan([want(tunnel)], World(), assume=True)
    assert len(assumed.operations) == 1
    assert "taken as made by an earlier task" in assumed.warnings[0]


def test_what_is_told_of_it_has_names_for_hosts():
    made = plan([want()], seen(NODE2))
    assert set(made.before["tunnel wg-1f0c"]["peers"]) == {"node2"}
    assert made.after["tunnel wg-1f0c"]["peers"]["node3"] == {
        "public_key": OTHER,
        "endpoint": "192.0.2.3 port 51821",
        "allowed": ["fd00::3/128"],
    }


# -- keys -----------------------------------------------------------------------------------------------------

KEY = WireguardKey("shop", PublicKey("", 51820))


def wish(key=KEY, present=True):
    return Wanted(key, "wireguard_key shop", "shop", present)


def has(text=OURS, port=51820):
    return World(keys={"shop": WireguardKey("shop", PublicKey(text, port))})


def test_a_key_is_made_once_and_what_it_will_be_nobody_knows():
    made = plan([wish()], World())
    assert [step.report()["action"] for step in made.operations] == ["create"]
    assert made.after["key shop"] == {"public_key": "(known when it is made)", "port": 51820}
    assert plan([wish()], has()).operations == ()


def test_a_key_is_rotated_once():
    other = replace(KEY, unlike=OURS)
    (step,) = plan([wish(other)], has()).operations
    assert (step.action, step.reason) == ("set", "to be another one")
    assert plan([wish(other)], has(THEIRS)).operations == ()


def test_another_port_leaves_the_key():
    made = plan([wish()], has(port=51830))
    assert made.operations[0].reason == "port 51830 -> 51820, which is free"
    assert made.world.keys["shop"].public == PublicKey(OURS, 51820)


def test_a_key_goes_after_its_interface():
    (step,) = plan([wish(present=False)], has()).operations
    assert step.action == "delete" and rank(step) > Step.LINK_GOES
    assert plan([wish(present=False)], World()).operations == ()


peers = st.lists(
    st.builds(
        Peer,
        st.sampled_from([OURS.replace("a", letter) for letter in "defg"]),
        st.tuples(st.sampled_from((OLD, NEW)), st.just(51820)),
        st.sampled_from((frozenset({N("fd00::2")}), frozenset({N("fd00::3")}))),
        st.just("node"),
        st.none() | st.sampled_from((OLD, NEW)),
        st.booleans(),
    ),
    unique_by=lambda one: one.key,
    max_size=4,
)


@given(peers, peers)
def test_from_anywhere_one_step_leads_there(before, after):
    after = [one._replace(heard=False, before=None if one.before == one.endpoint[0] else one.before) for one in after]
    wanted = replace(TUNNEL, peers=tuple(after))
    world = plan([want(wanted)], seen(*before)).world
    assert {one.key for one in world.tunnels[LINK].peers} == {one.key for one in after}
    assert plan([want(wanted)], world).operations == ()
