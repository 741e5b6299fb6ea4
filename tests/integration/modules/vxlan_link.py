# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vxlan_link for the ten steps, and what it refuses."""

from ansible_collections.netwright.docknet.tests.integration.ten_steps import Module, Refusal

NEAR = {"mac": "02:42:0a:00:00:02", "remote": "192.0.2.2", "ip": ["10.0.0.2", "fd00::2"]}
FAR = {"mac": "02:42:0a:00:00:03", "remote": "192.0.2.3"}
CREATE = {"name": "vx0", "netns": "node", "vni": 4100, "local": "192.0.2.1", "master": "br0"}
CREATE |= {"remotes": ["192.0.2.2"], "entries": [NEAR, FAR]}


def bad(said, kind="invalid", before="", **words):
    return Refusal({**CREATE, **words}, said, "vxlan_link vx0 in node", kind, before)


def entry(**words):
    return [{**NEAR, **words}]


MODULE = Module(
    name="vxlan_link",
    # On the bridge, somebody's neighbour.
    before="""
    ip netns add node; ip -n node link set lo up
    ip -n node link add lan0 mtu 1400 type veth peer name lan1; ip -n node link set lan0 up; ip -n node link set lan1 up
    ip -n node address add 192.0.2.1/24 dev lan0
    ip -n node link add br0 address 02:42:00:00:00:01 type bridge; ip -n node link set br0 up
    ip -n node neigh add 10.0.0.9 lladdr 02:42:0a:00:00:09 nud permanent dev br0
    """,
    create=CREATE,
    actions=[
        ("create", "link vx0 in node"),
        ("set", "link vx0 in node"),
        ("set", "link vx0 in node"),
        ("add", "forward 00:00:00:00:00:00 at 192.0.2.2 on vx0 in node"),
        ("add", "forward 02:42:0a:00:00:02 at 192.0.2.2 on vx0 in node"),
        ("add", "forward 02:42:0a:00:00:03 at 192.0.2.3 on vx0 in node"),
        ("add", "neighbour 10.0.0.2 at 02:42:0a:00:00:02 on br0 in node"),
        ("add", "neighbour fd00::2 at 02:42:0a:00:00:02 on br0 in node"),
    ],
    change={
        **CREATE,
        "local": "192.0.2.7",
        "remotes": [],
        "entries": [{**NEAR, "remote": "192.0.2.3", "ip": ["10.0.0.3"]}],
        "mtu": 1300,
    },
    identity={"name": "vx0", "netns": "node"},
    foreign="ip -n node link add vx0 type vxlan id 4100 dstport 4789 local 192.0.2.1",
    result={
        "name": "vx0",
        "netns": "node",
        "kind": "vxlan",
        "vni": 4100,
        "port": 4789,
        "local": "192.0.2.1",
        "learning": False,
        "mtu": 1350,
        "master": "br0",
        "forwards": [
            "00:00:00:00:00:00 at 192.0.2.2",
            "02:42:0a:00:00:02 at 192.0.2.2",
            "02:42:0a:00:00:03 at 192.0.2.3",
        ],
    },
    refusals=[
        bad("is a multicast address", entries=entry(mac="ff:ff:ff:ff:ff:ff")),
        bad("is missing", vni=None),
        bad("is not from 0 to 16777215", vni=2**24),
        bad("is not from 1 to 65535", port=0),
        bad("is not from 68 to 65535", mtu=65536),
        bad("is no address", local="node1"),
        bad("is a multicast group", remotes=["239.1.1.1"]),
        bad("is no address at which another host is reached", local="127.0.0.1"),
        bad("is no address at which another host is reached", remotes=["fe80::1"]),
        bad("is given as a remote end, too", remotes=["192.0.2.2", "192.0.2.1"]),
        bad("is of another family than 192.0.2.1", remotes=["fd00::2"]),
        bad("is of another family than fd00::2", local=None, remotes=["fd00::2"]),
        bad("is at 192.0.2.2 already", entries=[NEAR, {**FAR, "mac": NEAR["mac"]}]),
        bad("is given to 02:42:0a:00:00:02 already", entries=[NEAR, {**FAR, "ip": ["10.0.0.2"]}]),
        bad("is no address that a station can have", entries=entry(ip=["ff02::1"])),
        bad("is no name for an interface", master="br 0"),
        bad('namespace "nod" does not exist (did you mean "node"?)', "missing", netns="nod")._replace(
            name="vx0 in nod"
        ),
        bad('master "br9" does not exist in node (did you mean "br0"?)', "missing", master="br9"),
        bad('"lan0" is a veth, not a bridge', "conflict", master="lan0")._replace(words="is a veth, not a bridge"),
        bad(
            "a veth of that name is there, not a vxlan", "conflict", "ip -n node link add vx0 type veth peer name other"
        ),
        bad(
            'VNI 4100 on port 4789 has an interface already in node: "theirs"',
            "conflict",
            "ip -n node link add theirs type vxlan id 4100 dstport 4789 local 192.0.2.1",
        ),
        bad(
            '"hidden" in namespace "vault" has it',
            "refused",
            "ip netns add vault; ip -n node link add hidden type vxlan id 4100 dstport 4789; ip -n node link set hidden netns vault",
        ),
    ],
)
