# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel that was started with ipv6.disable=1: networks of IPv4 work, and what needs IPv6 is refused with a sentence.

In a virtual machine of its own, as noxfile.py says. tests/kernel plays the same by hiding the settings of IPv6.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import machine, sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import (
    FILES,
    address,
    built,
    reaches,
    refused,
    topology,
)

NO_IPV6 = "this kernel has no IPv6; leave it out, or start the kernel without ipv6.disable=1"
DOCUMENT = {
    "name": "shop",
    "networks": {
        "default": {},
        "lan": {
            "driver": "macvlan",
            "driver_opts": {"parent": "lan0"},
            "ipam": {"config": [{"subnet": "198.51.100.0/24"}]},
        },
    },
    "containers": {
        "web": {"ports": ["8080:80"], "sysctls": {"net.ipv6.conf.all.disable_ipv6": 1}},
        "db": {"links": ["web"]},
        "cam": {"networks": {"lan": {}, "default": {}}},
    },
}


@pytest.fixture(autouse=True)
def fixture_here():
    assert not Path("/proc/sys/net/ipv6").exists(), "this kernel has IPv6"
    with machine():
        for path, text in FILES.items():
            Path(path).write_text(text)
        sh(
            "ip link set lo up; ip link add lan0 type dummy; ip link set lan0 up; ip address add 198.51.100.1/24 dev lan0"
        )
        yield


def test_networks_of_ipv4():
    done = built(DOCUMENT)
    assert reaches("web", address(done, "db")) and reaches("cam", address(done, "web"))
    assert topology({"name": "shop"}, state="absent")["changed"]
    assert sh("nft list ruleset; ip netns list") == ""


def test_networks_with_ipv6():
    document = {"name": "shop", "networks": {"six": {"enable_ipv6": True}}, "containers": {"x": {"networks": ["six"]}}}
    assert "networks.six: it is to have IPv6, and this host's kernel has none" in refused(document)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("veth_pair", {"a": {"name": "v0"}, "b": {"name": "v1", "addresses": ["fd00::2/64"]}}),
        ("linux_bridge", {"name": "br0", "addresses": ["fd00::1/64"]}),
        ("macvlan_net", {"name": "m0", "parent": "lan0", "addresses": ["fd00::1/64"]}),
        ("vxlan_link", {"name": "x0", "vni": 7, "local": "fd00::1"}),
        ("netns", {"name": "web", "sysctls": {"net.ipv6.conf.all.forwarding": 1}}),
    ],
)
def test_objects_with_ipv6(module, words):
    answer = call(module, **words)
    assert NO_IPV6 in answer["msg"]
    assert answer["changed"] is False


def test_ipv6_off_is_fulfilled():
    words = {"name": "web", "sysctls": {"net.ipv6.conf.default.disable_ipv6": 1}}
    assert call("netns", **words)["changed"] and not call("netns", **words)["changed"]
