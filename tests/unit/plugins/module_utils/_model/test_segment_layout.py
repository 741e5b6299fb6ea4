# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which elements a segment is made of, and that it can be read back from them whole."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model import filter as layout
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import Element, Ports
from ansible_collections.netwright.docknet.plugins.module_utils._model.segment import (
    ISOLATED,
    NAT,
    ROUTED,
    UNPROTECTED,
    Opening,
    Segment,
)
from hypothesis import given
from hypothesis import strategies as st

FOUR, SIX = ip_address("172.17.0.3"), ip_address("fd17::3")
names = st.sampled_from(["docknet0", "br-1.2", "a", "x" * 15])
ports = st.tuples(st.integers(1, 40), st.integers(0, 5)).map(lambda pair: Ports(pair[0], pair[0] + pair[1]))
openings = st.builds(Opening, st.sampled_from([FOUR, SIX]), st.sampled_from(["tcp", "udp", "sctp"]), ports)
modes = st.sampled_from([NAT, UNPROTECTED, ROUTED, ISOLATED])
segments = st.builds(
    Segment,
    st.none(),
    names,
    st.sampled_from(["shop", "o" * 32]),
    icc=st.booleans(),
    internal=st.booleans(),
    modes=st.dictionaries(st.sampled_from([4, 6]), modes),
    ports=st.frozensets(st.sampled_from(["veth1", "veth2"])),
    openings=st.frozensets(openings, max_size=6),
    trusted=st.frozensets(st.sampled_from(["wg0", "lan0"])),
    resolvers=st.dictionaries(st.sampled_from([FOUR, SIX]), st.integers(1, 65535)),
    nameservers=st.frozensets(st.sampled_from([FOUR - 1, SIX - 1])),
    between=st.frozensets(st.sampled_from([ip_network("10.1.0.0/16"), ip_network("fd00:1::/64")])),
    beside=st.frozensets(st.sampled_from(["eth0", "eth1"])),
    vni=st.none() | st.sampled_from([1, 2**24 - 1]),
    vteps=st.frozensets(st.sampled_from([ip_network("192.0.2.0/24"), ip_network("fd00::1")])),
    by=st.none() | st.sampled_from(["wg0", "w" * 15]),
    listens=st.none() | st.just(51820),
)


def table(*found: Segment):
    return {element[:2]: element for one in found for element in layout.elements(one)}


@given(segments)
def test_comes_back_whole(segment):
    full = layout.whole(segment)
    elements = table(full)
    assert layout.read(None, elements) == {segment.device: full}
    assert layout.whole(full) == full
    assert {layout.belonging(element) for element in elements.values()} == {layout.about(segment.device)}
    assert all(len(element.comment.encode()) < 128 for element in elements.values())


@given(segments)
def test_openings_say_the_same_and_do_not_overlap(segment):
    def single(some):
        return {(one.address, one.protocol, n) for one in some for n in range(one.ports.first, one.ports.last + 1)}

    merged = layout.whole(segment).openings
    assert single(merged) == single(segment.openings)
    assert len(single(merged)) == sum(one.ports.size for one in merged)


def test_two_keep_apart():
    one = layout.whole(Segment(None, "one", "shop", icc=False, ports=frozenset({"v1"}), resolvers={FOUR: 5301}))
    two = layout.whole(Segment(None, "two", "other", trusted=frozenset({"one"}), resolvers={SIX: 5302}))
    assert layout.read(None, table(one, two)) == {"one": one, "two": two}


def test_the_elements():
    segment = Segment(
        None,
        "docknet0",
        "shop",
        icc=False,
        internal=True,
        modes={4: ROUTED, 6: UNPROTECTED},
        ports=frozenset({"veth1"}),
        openings=frozenset({Opening(FOUR, "udp", Ports(80, 90))}),
        trusted=frozenset({"wg0"}),
        resolvers={SIX: 5301, SIX + 1: 5302, SIX + 2: 5301},
        nameservers=frozenset({FOUR - 1}),
    )
    hung = "docknet@shop on docknet0"
    assert set(layout.elements(segment)) == {
        Element("segments", "docknet0", "", "docknet@shop icc=no internal ip=routed ip6=nat-unprotected"),
        Element("apart", "docknet0 . docknet0"),
        Element("closed", "docknet0"),
        Element("routed_ip", "docknet0"),
        Element("unprotected_ip6", "docknet0"),
        Element("trusted", "wg0 . docknet0"),
        Element("apart_ports", "veth1", "", hung),
        Element("open_ip", "172.17.0.3 . 17 . 80-90", "", hung),
        Element("resolver_ip6", "fd17::3", "5301", hung),
        Element("resolver_ip6", "fd17::4", "5302", hung),
        Element("resolver_ip6", "fd17::5", "5301", hung),
        Element("nameserver_ip", "172.17.0.2 . 5301", "", hung),
        Element("nameserver_ip", "172.17.0.2 . 5302", "", hung),
    }


@pytest.mark.parametrize("comment", ["", "mine", "docknet@"])
def test_one_without_a_mark_is_nobodys(comment):
    found = layout.read(None, {("segments", "br0"): Element("segments", "br0", "", comment)})
    assert found == {"br0": replace(layout.whole(Segment(None, "br0")), owner=None)}


def test_what_is_left_over_is_no_segment():
    rest = table(layout.whole(Segment(None, "br0", "shop", resolvers={FOUR: 53})))
    del rest[("segments", "br0")]
    assert layout.read(None, rest) == {}
