# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one link's MTU is to others on the real kernel: a bridge follows its ports until it is told, a child has no more than its parent."""

from __future__ import annotations

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model.bridge import Bridge
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.macvlan import Macvlan
from ansible_collections.netwright.docknet.plugins.module_utils._model.veth import Veth
from ansible_collections.netwright.docknet.tests.kernel.engine import carry_out, steps, wish
from ansible_collections.netwright.docknet.tests.kernel.machine import links

pytestmark = pytest.mark.usefixtures("machine")
BRIDGE, PORT, END, CHILD = (LinkKey(None, name) for name in ("br0", "v0", "v1", "m0"))


def bridge(mtu=None):
    return wish(Link(BRIDGE, data=Bridge(), owner="shop", up=True, mtu=mtu))


def pair(mtu, master=None):
    ends = (PORT, END, master), (END, PORT, None)
    return [wish(Link(key, data=Veth(peer), owner="shop", up=True, mtu=mtu, master=to)) for key, peer, to in ends]


def child(parent, mtu):
    return wish(Link(CHILD, data=Macvlan(parent), owner="shop", up=True, mtu=mtu))


def sizes(*names):
    seen = links()
    return [seen[name]["mtu"] for name in names]


@pytest.mark.parametrize("before", ["none", 1400, 1500, None], ids=["new", "raised", "told before", "by itself"])
def test_a_bridge_keeps_its_mtu_over_a_smaller_port_and_its_child_can_have_it(before):
    if before != "none":
        carry_out(bridge(before))
    carry_out(bridge(1500), *pair(1400, "br0"), child(BRIDGE, 1500))
    assert sizes("br0", "v0", "m0") == [1500, 1400, 1500]


def test_a_port_that_is_there_gets_a_smaller_one():
    carry_out(bridge(), *pair(1500, "br0"))
    made = carry_out(bridge(1500), *pair(1400, "br0"), child(BRIDGE, 1500))
    assert ("set", "link br0", "to keep mtu 1500, which it has as long as its ports have it") in steps(made)
    assert sizes("br0", "v0", "m0") == [1500, 1400, 1500]
    assert [step for step in steps(carry_out(bridge(1500), *pair(1300, "br0"))) if "br0" in step[1]] == []


def test_any_other_parent_is_raised_before_its_child_comes():
    carry_out(*pair(1300))
    carry_out(*pair(1400), child(PORT, 1400))
    assert sizes("v0", "v1", "m0") == [1400, 1400, 1400]
    carry_out(*pair(1450), child(PORT, 1450))
    assert sizes("v0", "v1", "m0") == [1450, 1450, 1450]
