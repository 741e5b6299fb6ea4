# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""linux_bridge for the ten steps, and what it refuses."""

from ansible_collections.netwright.docknet.tests.integration.ten_steps import Module, Refusal

FILTER = "net.ipv4.conf.IFNAME.rp_filter"
BRIDGE = {
    "name": "br.0",
    "addresses": ["172.17.0.1/16", "fd17::0001/64"],
    "mtu": 1400,
    "ports": ["p0", "p1"],
    "ageing_time": 100,
    "mcast_snooping": False,
    "sysctls": {FILTER: 2},
}
CHANGED = {
    **BRIDGE,
    "mac": "02:42:00:00:00:99",
    "mtu": 1500,
    "ports": ["p1"],
    "stp": True,
    "forward_delay": 4,
    "sysctls": {FILTER: 0},
}


def bad(said, **words):
    return Refusal({**BRIDGE, **words}, said, "linux_bridge br.0")


MODULE = Module(
    name="linux_bridge",
    before="""
    for port in p0 p1 p2; do ip link add $port type veth peer name q$port; done
    ip link set p0 mtu 1300
    """,
    create=BRIDGE,
    actions=[
        ("create", "link br.0"),
        ("set", "link br.0"),  # its MTU, before a port with less
        ("set", "link br.0"),
        ("set", "link p0"),
        ("set", "link p1"),
        ("set", "sysctl net.ipv4.conf.br/0.rp_filter"),
        ("set", "link br.0"),
        ("add", "address 172.17.0.1/16 on br.0"),
        ("add", "address fd17::1/64 on br.0"),
    ],
    change=CHANGED,
    identity={"name": "br.0"},
    foreign="ip link add br.0 type bridge",
    result={
        "name": "br.0",
        "kind": "bridge",
        "mtu": 1400,
        "up": True,
        "ports": ["p0", "p1"],
        "ageing_time": 100,
        "addresses": ["172.17.0.1/16", "fd17::1/64"],
        "stp": False,
    },
    refusals=[
        bad("is not from 2 to 30", stp=True, forward_delay=1),
        bad("is not from 0 to 30", forward_delay=31),
        bad("is not from 0 to 1000000", ageing_time=-1),
        bad("is a multicast address", mac="33:33:00:00:00:01"),
        bad("is not from 68 to 65535", mtu=65536),
        bad("is too small for IPv6", mtu=1000),
        bad("is no name for an interface", ports=["p0", "p/1"]),
        bad("is to be a port of itself", ports=["br.0"]),
        bad("is not a setting of this link", sysctls={"net.ipv4.ip_forward": 1}),
        bad("is no setting below net.", sysctls={"kernel.panic": 1}),
        Refusal({**BRIDGE, "name": "br0/"}, "is no name for an interface", "'br0/'"),
        Refusal(
            {"config": [{"name": "b1", "ports": ["p0"]}, {"name": "b2", "ports": ["p0"]}]},
            'p0 is to be a port of "b2", and by linux_bridge b1 of "b1"',
            "linux_bridge b2",
        ),
        Refusal({**BRIDGE, "netns": "nowhere"}, 'namespace "nowhere" does not exist', "linux_bridge br.0", "missing"),
        Refusal({**BRIDGE, "ports": ["p9"]}, 'port "p9" does not exist', "linux_bridge br.0", "missing"),
        Refusal(
            BRIDGE,
            "a veth of that name is there, not a bridge",
            "linux_bridge br.0",
            "conflict",
            "ip link add br.0 type veth peer name other",
        ),
    ],
)
