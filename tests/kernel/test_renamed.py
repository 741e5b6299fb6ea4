# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A link of a topology that udev or a person has renamed: the message names the way out, and each way out works."""

from __future__ import annotations

import re

import pytest
from ansible_collections.netwright.docknet.tests.kernel.machine import sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import refused, steps, topology

DOCUMENT = {"name": "shop", "networks": {"front": {"name": "br7"}}, "containers": {"web": {"networks": ["front"]}}}


@pytest.fixture(autouse=True)
def fixture_here(machine):
    sh("ip link set lo up")


def renamed(which):
    """The command for its namespace. A link that is up keeps its name on older kernels."""
    host_end = re.search(r"(veth[0-9a-f]+)@", sh("ip -o link show type veth"))[1]
    name, ip = {"bridge": ("br7", "ip"), "host end": (host_end, "ip"), "eth0": ("eth0", "ip -n web")}[which]
    sh(f"{ip} link set {name} down; {ip} link set {name} name enp0; {ip} link set enp0 up")
    return ip


@pytest.mark.parametrize("way_out", ("rename", "delete"))
@pytest.mark.parametrize("which", ("bridge", "host end", "eth0"))
def test_a_renamed_link_is_given_back_its_name_or_deleted(which, way_out):
    topology(DOCUMENT)
    ip = renamed(which)
    said = refused(DOCUMENT)
    assert 'under another name, "enp0"; rename it back (' in said and said == refused(
        DOCUMENT, _ansible_check_mode=True
    )
    commands = said.partition("rename it back (")[2].partition(")")[0].partition(" inside")[0]
    sh(commands.replace("ip ", f"{ip} ") if way_out == "rename" else f"{ip} link delete enp0")
    topology(DOCUMENT)
    assert steps(topology(DOCUMENT)) == []
    sh("ip netns exec web ping -c1 -W2 172.18.0.1")


def test_what_was_renamed_is_removed_too():
    for which in ("bridge", "host end", "eth0"):
        topology(DOCUMENT)
        renamed(which)
        topology(DOCUMENT, state="absent")
        assert sh("ip -o link | wc -l; ls /run/netns").split() == ["1"]
