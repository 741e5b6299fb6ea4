# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""802.1Q under macvlan, on a stock Debian kernel (`make test-vm`): small machines' kernels may have none."""

from __future__ import annotations

import json
import subprocess

import pytest
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import machine, sh

SHIM = {"name": "shim0", "addresses": ["198.51.100.250/32"]}


def container(number: int, **more: object) -> dict[str, object]:
    return {
        "name": "eth0",
        "netns": f"c{number}",
        "parent": "lan",
        "vlan": 10,
        "addresses": [f"198.51.100.{number}/24"],
        "host_shim": SHIM,
        **more,
    }


def ip(*arguments: str) -> list[dict]:
    return json.loads(
        subprocess.run(["ip", "-j", "-d", *arguments], capture_output=True, check=True, timeout=60).stdout
    )


def names() -> set[str]:
    return {link["ifname"] for link in ip("link")}


def ping_to(address: str, *command: str) -> int:
    words = [*command, "ping", "-n", "-c", "1", "-W", "5", address]
    return subprocess.run(words, capture_output=True, check=False, timeout=60).returncode


@pytest.fixture(name="lan", scope="module", autouse=True)
def fixture_lan():
    with machine():
        sh("ip link add lan type veth peer name wire; ip link set lan up; ip link set wire up")
        assert call("netns", config=[{"name": "c1"}, {"name": "c2"}])["changed"]
        yield


def test_vlan_when_two_children_stand_on_it_then_it_is_made_once_and_goes_with_the_last():
    both = {"config": [container(1), container(2)]}
    predicted = call("macvlan_net", **both, _ansible_check_mode=True)
    first = call("macvlan_net", **both)
    assert first.get("actions") == predicted["actions"], first
    assert not call("macvlan_net", **both)["changed"]

    tagged = next(link for link in ip("link") if link["ifname"] == "lan.10")
    assert tagged["linkinfo"]["info_kind"] == "vlan"
    assert tagged["linkinfo"]["info_data"]["id"] == 10
    assert ping_to("198.51.100.2", "ip", "netns", "exec", "c1") == 0
    assert ping_to("198.51.100.1") == 0, "the host reaches its container through the shim"

    assert call("macvlan_net", name="eth0", netns="c1", state="absent")["changed"]
    assert {"lan.10", "shim0"} <= names(), "the other child still needs both"
    assert call("netns", name="c2", state="absent")["changed"]
    assert not {"lan.10", "shim0"} & names()
    assert not call("macvlan_net", name="eth0", netns="c2", state="absent")["changed"]


def test_vlan_when_the_tag_changes_then_it_is_another_identity():
    assert call("netns", name="c1")["changed"] is False
    assert call("macvlan_net", **container(1))["changed"]
    refused = call("macvlan_net", **container(1, vlan=11))
    assert "parent is lan.10, not lan.11" in refused["msg"]
    assert "recreate: true" in refused["msg"]
    moved = call("macvlan_net", **container(1, vlan=11, host_shim=None, recreate=True))
    assert moved["changed"], moved
    assert ip("-n", "c1", "link", "show", "eth0")[0]["ifname"] == "eth0"
