# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""macvlan_net for the ten steps, and what it refuses.

The option `vlan` is tried up to the message that makes the 802.1Q interface (test_modules.py): not every kernel has
802.1Q, and tests/vm runs it on one that has.
"""

from ansible_collections.netwright.docknet.tests.integration.ten_steps import Module, Refusal

CHILD = {"name": "eth0", "netns": "web", "parent": "lan0", "addresses": ["192.0.2.9/24"], "gateway": ["192.0.2.1"]}
SHIM = {"name": "shim0", "addresses": ["192.0.2.8/32"]}
CREATE = {**CHILD, "mac": "02:42:c0:00:02:09", "host_shim": SHIM, "promiscuous": True}


def bad(said, kind="invalid", before="", **words):
    return Refusal({**CREATE, **words}, said, "macvlan_net eth0 in web", kind, before)


MODULE = Module(
    name="macvlan_net",
    # Promiscuous before, because it stays when the child goes.
    before="""
    ip netns add web; ip link add lan0 type veth peer name lan1; ip link set lan1 up
    ip link set lan0 up promisc on; ip address add 192.0.2.2/24 dev lan0
    """,
    create=CREATE,
    actions=[
        ("create", "link eth0 in web"),
        ("create", "link shim0"),
        ("set", "link eth0 in web"),
        ("set", "link shim0"),
        ("set", "link eth0 in web"),
        ("set", "link shim0"),
        ("add", "address 192.0.2.9/24 on eth0 in web"),
        ("add", "address 192.0.2.8/32 on shim0"),
        ("add", "route default via 192.0.2.1 through eth0 in web"),
        ("add", "route 192.0.2.9/32 through shim0"),
    ],
    change={**CREATE, "addresses": ["192.0.2.10/24"], "mode": "bridge", "mtu": 1400, "gateway": []},
    identity={"name": "eth0", "netns": "web"},
    # Renamed there: Linux 6.1 refuses a name that the host itself has, and a lab host has an eth0.
    foreign="ip link add new0 link lan0 netns web type macvlan mode bridge; ip -n web link set new0 name eth0",
    result={
        "name": "eth0",
        "netns": "web",
        "kind": "macvlan",
        "mode": "bridge",
        "parent": "lan0",
        "addresses": ["192.0.2.9/24"],
        "routes": ["default via 192.0.2.1"],
    },
    refusals=[
        bad("is a multicast address", mac="ff:ff:ff:ff:ff:ff"),
        bad("cannot be with mode passthru", mode="passthru", host_shim=None),
        bad("has no use with mode vepa", mode="vepa"),
        bad("needs the container's addresses", addresses=None, gateway=None),
        bad("is the name of the parent or the child", host_shim={"name": "lan0"}),
        bad("has no prefix length", host_shim={"name": "shim0", "addresses": ["192.0.2.8"]}),
        bad("is not from 1 to 4094", vlan=4095),
        bad("has 17 bytes", parent="abcdefghijklmno", vlan=1),
        bad("is no name for an interface", parent="lan 0"),
        bad("is missing", parent=None),
        bad("is not inside one of the addresses", gateway=["192.0.3.1"]),
        Refusal({**CREATE, "netns": None, "name": "lan0"}, "is its own parent's name", "macvlan_net lan0"),
        bad('namespace "wep" does not exist (did you mean "web"?)', "missing", netns="wep")._replace(
            name="eth0 in wep"
        ),
        bad('parent "lan9" does not exist on the host (did you mean "lan', "missing", parent="lan9", promiscuous=None),
        bad('mtu 1501 is more than the 1500 of its parent "lan0"', "conflict", mtu=1501),
        bad(
            "a veth of that name is there, not a macvlan",
            "conflict",
            "ip link add eth0 netns web type veth peer name other",
        ),
        bad(
            "its parent is in use",
            "refused",
            "ip link add name b type bridge; ip link set lan0 master b",
            promiscuous=None,
        ),
        bad(
            "its parent has a passthru child",
            "refused",
            "ip link add name p link lan0 type macvlan mode passthru",
        ),
    ],
)
