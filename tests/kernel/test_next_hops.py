# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Next hops that no address of the link reaches, and addresses that the kernel would not take, are refused before anything is made."""

from __future__ import annotations

import pytest
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, sh

pytestmark = pytest.mark.usefixtures("machine")


@pytest.fixture(autouse=True)
def fixture_web(machine):
    sh(
        "ip link set lo up; ip netns add web; ip link add lan0 type veth peer name lan1; ip link set lan0 up; ip link set lan1 up"
    )


def pair(check=False, **end):
    return call("veth_pair", a={"name": "vweb"}, b={"name": "eth0", "netns": "web", **end}, _ansible_check_mode=check)


def child(check=False, **end):
    return call("macvlan_net", name="eth0", netns="web", parent="lan0", _ansible_check_mode=check, **end)


def made() -> bool:
    return any(link["ifname"] == "eth0" for link in ip("-n web link"))


@pytest.mark.parametrize("make", [pair, child])
@pytest.mark.parametrize(
    ("words", "hop"),
    [
        ({"gateway": ["10.9.0.1"]}, "gateway 10.9.0.1"),
        ({"gateway": ["169.254.1.1"]}, "gateway 169.254.1.1"),
        ({"gateway": ["fd09::1"]}, "gateway fd09::1"),
        ({"routes": [{"to": "10.8.0.0/16", "via": "10.9.0.1"}]}, "the next hop 10.9.0.1 of route 10.8.0.0/16"),
        (
            {"routes": [{"to": "10.7.0.0/16"}, {"to": "10.8.0.0/16", "via": "10.9.0.1"}]},
            "the next hop 10.9.0.1 of route 10.8.0.0/16",
        ),
    ],
)
def test_a_next_hop_that_no_address_reaches(make, words, hop):
    """Of a new link without addresses, in check mode too."""
    for check in (True, False):
        answer = make(check, **words)
        assert answer.get("failed"), answer
        assert f"{hop} is reached by none of its addresses (none); give an address of the same subnet" in answer["msg"]
        assert (answer["changed"], made()) == (False, False)


@pytest.mark.parametrize("make", [pair, child])
@pytest.mark.parametrize(
    "words",
    [
        {"addresses": ["10.0.0.2/32"], "routes": [{"to": "169.254.1.1/32"}], "gateway": ["169.254.1.1"]},
        {
            "addresses": ["10.0.0.2/24"],
            "routes": [{"to": "10.1.0.0/24", "via": "10.9.0.1"}, {"to": "10.9.0.0/24"}],
            "gateway": ["10.9.0.7"],
        },
        {"addresses": ["fd00::2/64"], "gateway": ["fe80::1"]},
        {"addresses": ["fd00::2/128"], "routes": [{"to": "fd00::1/128"}], "gateway": ["fd00::1"]},
    ],
)
def test_a_next_hop_on_the_link(make, words):
    """By an address, by a route of the same link, or link-local."""
    foretold, done, again = make(True, **words), make(**words), make(**words)
    assert not done.get("failed"), done["msg"]
    assert foretold["actions"] == done["actions"]
    assert not again["changed"], again["actions"]
    assert sum(route["dst"] == "default" for route in ip("-n web route") + ip("-n web -6 route")) == 1


def test_what_is_on_the_link_already_counts():
    """Where addresses are not managed: one that somebody set, and one that a DHCP client did."""
    pair()
    sh(
        "ip -n web address add 10.9.0.2/24 dev eth0; ip -n web address add 10.8.0.2/24 dev eth0 valid_lft 900 preferred_lft 900"
    )
    for gateway in ("10.9.0.1", "10.8.0.1"):
        assert not pair(gateway=[gateway]).get("failed")
        assert [route["gateway"] for route in ip("-n web route") if route["dst"] == "default"] == [gateway]
    assert "is its own address" in pair(gateway=["10.9.0.2"])["msg"]


@pytest.mark.parametrize("at", ["all", "default"])
def test_an_ipv6_address_where_ipv6_is_off(at):
    sh(f"ip netns exec web sh -c 'echo 1 >/proc/sys/net/ipv6/conf/{at}/disable_ipv6'")
    answer = pair(addresses=["fd00::2/64"])
    assert "fd00::2/64 cannot be set: IPv6 is off in web (net.ipv6.conf.default.disable_ipv6 is 1)" in answer["msg"]
    assert not made()
    assert not call("netns", name="web", adopt=True, sysctls={"net.ipv6.conf.default.disable_ipv6": 0}).get("failed")
    assert not pair(addresses=["fd00::2/64"]).get("failed")
    sh("ip netns exec web sh -c 'echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6'")
    assert "IPv6 is off in web (net.ipv6.conf.eth0.disable_ipv6 is 1)" in pair(addresses=["fd00::2/64"])["msg"]


def test_a_bridge_turns_ipv6_on_for_itself():
    sh("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
    words = {"name": "br0", "addresses": ["fd00::1/64"]}
    assert "IPv6 is off on the host" in call("linux_bridge", **words)["msg"]
    words["sysctls"] = {"net.ipv6.conf.IFNAME.disable_ipv6": 0}
    assert not call("linux_bridge", **words).get("failed")
    assert not call("linux_bridge", **words)["changed"]


def test_ipv6_on_a_kernel_without_it():
    """As far as that can be played on one that has it: its settings are not to be seen."""
    sh("mount -t tmpfs none /proc/sys/net/ipv6")
    try:
        for module, words in (
            ("veth_pair", {"a": {"name": "v"}, "b": {"name": "eth0", "netns": "web", "addresses": ["fd00::2/64"]}}),
            ("macvlan_net", {"name": "eth0", "netns": "web", "parent": "lan0", "addresses": ["fd00::2/64"]}),
            ("linux_bridge", {"name": "br0", "addresses": ["fd00::1/64"]}),
            ("vxlan_link", {"name": "x", "vni": 7, "local": "fd00::1"}),
        ):
            answer = call(module, **words)
            assert "cannot be used: this kernel has no IPv6; leave it out, or start the kernel" in answer["msg"]
            assert (answer["changed"], made()) == (False, False)
        on = call("netns", name="other", sysctls={"net.ipv6.conf.all.forwarding": 1})
        assert "net.ipv6.conf.all.forwarding in other cannot be set: this kernel has no IPv6" in on["msg"]
        off = {"name": "other", "sysctls": {"net.ipv6.conf.default.disable_ipv6": 1}}
        assert not call("netns", **off).get("failed")
        assert not call("netns", **off)["changed"]
    finally:
        sh("umount /proc/sys/net/ipv6")
