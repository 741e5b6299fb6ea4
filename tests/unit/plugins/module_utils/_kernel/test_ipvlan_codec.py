# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The codec of ipvlan: what it says the kernel gives back, and both settings are in one message."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import ipvlan
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.netlink import attributes
from ansible_collections.netwright.docknet.plugins.module_utils._model.ipvlan import Ipvlan
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Birth, Link, LinkKey

LAN = LinkKey(None, "lan0")


@pytest.mark.parametrize(("mode", "mode_number"), [("l2", 0), ("l3", 1), ("l3s", 2)])
@pytest.mark.parametrize(("flag", "flag_number"), [("bridge", 0), ("private", 1), ("vepa", 2)])
def test_codec_when_encoded_then_the_numbers_are_the_kernels_and_decoded_it_is_the_same(
    mode, mode_number, flag, flag_number
):
    """Numbers: linux/if_link.h."""
    wanted = Ipvlan(LAN, mode, flag)
    data = attributes(ipvlan.encode(Birth(Link(LinkKey("web", "eth0"), data=wanted)), {}))
    assert {kind: int.from_bytes(value, sys.byteorder) for kind, value in data.items()} == {
        1: mode_number,
        2: flag_number,
    }
    assert ipvlan.decode(data, LAN) == wanted


def test_change_when_both_differ_then_they_are_one_message_and_none_when_nothing_does():
    assert len(ipvlan.change({"mode": "l3", "flag": "vepa"})) == 1
    assert ipvlan.change({"mtu": 1400}) == []
