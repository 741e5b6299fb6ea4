# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""veth_pair for the ten steps, and what it refuses."""

from ansible_collections.netwright.docknet.tests.integration.ten_steps import Module, Refusal

A = {"name": "vweb", "master": "br0"}
B = {
    "name": "eth0",
    "netns": "web",
    "mac": "02-42-AC-11-00-02",
    "addresses": ["172.17.0.2/16", "fd17:0:0:0::2/64"],
    "gateway": ["172.17.0.1", "fd17::1"],
    "routes": [{"to": "10.0.0.0/8", "via": "172.17.0.9"}, {"to": "fd10::/16", "via": "FD17::9", "metric": 7}],
}
CHANGED = {
    "a": {**A, "isolated": True, "hairpin": False},
    "b": {**B, "addresses": ["172.17.0.3/16"], "gateway": ["172.17.0.1"], "routes": []},
    "mtu": 1400,
}
LONG = "abcdefghijklmnop"


def end_b(said, **words):
    """A pair whose other end is otherwise."""
    return Refusal({"a": A, "b": {**B, **words}}, said, "veth_pair vweb, end b")


def link(name, said):
    return Refusal({"a": {"name": name}, "b": B}, said, repr(name))


def missing(said, arguments, kind="missing", before=""):
    return Refusal(arguments, said, "veth_pair vweb", kind, before)


MODULE = Module(
    name="veth_pair",
    before="ip netns add web; ip link add br0 address 02:00:00:00:00:01 type bridge; ip link set br0 up",
    create={"a": A, "b": B},
    actions=[
        ("create", "link vweb"),
        ("set", "link vweb"),
        ("set", "link eth0 in web"),
        ("set", "link vweb"),
        ("set", "link eth0 in web"),
        ("add", "address 172.17.0.2/16 on eth0 in web"),
        ("add", "address fd17::2/64 on eth0 in web"),
        ("add", "route 10.0.0.0/8 via 172.17.0.9 through eth0 in web"),
        ("add", "route fd10::/16 via fd17::9 metric 7 through eth0 in web"),
        ("add", "route default via 172.17.0.1 through eth0 in web"),
        ("add", "route default via fd17::1 metric 1024 through eth0 in web"),
    ],
    change=CHANGED,
    identity={"a": {"name": "vweb"}},
    foreign="ip link add vweb type veth peer name other",
    result={"name": "vweb", "netns": None, "kind": "veth", "peer": "eth0 in web", "master": "br0", "up": True},
    refusals=[
        end_b("is a multicast address", mac="01:42:ac:11:00:02"),
        end_b("is no MAC address", mac="02:42:ac:11:00"),
        end_b("is all zeros", mac="00:00:00:00:00:00"),
        end_b("write it as 172.17.0.2/16", addresses=["172.17.0.2"]),
        end_b("is no address in CIDR form", addresses=["172.17.0.300/16"]),
        end_b("is no address in CIDR form", addresses=["172.17.0.2/255.0.255.0"]),
        end_b("is the network or broadcast address of 172.17.0.0/16", addresses=["172.17.255.255/16"]),
        end_b("has one address twice", addresses=["fd17::2/64", "fd17:0::2/48"], gateway=None, routes=None),
        end_b("is no address that an interface can have", addresses=["224.0.0.1/4"]),
        end_b("is not inside one of the addresses", gateway=["172.18.0.1"]),
        end_b("is the link's own address", gateway=["172.17.0.2"]),
        end_b("has more than one of IPv4", gateway=["172.17.0.1", "172.17.0.4"]),
        end_b("has bits set beyond its prefix; write 10.0.0.0/8", routes=[{"to": "10.0.0.1/8", "via": "172.17.0.9"}]),
        end_b("is of another family", routes=[{"to": "10.0.0.0/8", "via": "fd17::9"}]),
        end_b("is the default route; use gateway for it", routes=[{"to": "0.0.0.0/0", "via": "172.17.0.9"}]),
        end_b("is the subnet of an address", routes=[{"to": "172.17.0.0/16"}]),
        end_b("is no path of a network namespace", netns="/etc/passwd"),
        end_b("names no namespace", netns="pid:abc"),
        end_b("names no namespace", netns="lxc:web"),
        end_b("is no name for a namespace", netns="../web"),
        end_b("is no name for an interface", name="a/b"),
        link(LONG, "has 16 bytes; Linux allows 15"),
        link("..", "is no name for an interface"),
        link("v\n", "is no name for an interface"),
        link("v w", "is no name for an interface"),
        link("v\u00e9", "is no name for an interface"),
        link("all", "is no name for an interface"),
        Refusal({"a": A, "b": {"name": "vweb"}}, "is the name of end a too", "veth_pair vweb"),
        Refusal({"a": A}, "b '' is missing", "veth_pair vweb"),
        Refusal({"a": A, "b": B, "mtu": 67}, "is not from 68 to 65535", "veth_pair vweb"),
        Refusal({"a": A, "b": B, "mtu": 1279}, "is too small for IPv6", "veth_pair vweb"),
        Refusal({"config": [{"a": A, "b": B}, {"a": {"name": "v2"}, "b": B}]}, "is asked for twice", "veth_pair v2"),
        missing('namespace "wbe" does not exist (did you mean "web"?)', {"a": A, "b": {**B, "netns": "wbe"}}),
        missing('namespace "pid:999999999" does not exist', {"a": A, "b": {**B, "netns": "pid:999999999"}}),
        missing('master "br1" does not exist on the host (did you mean "br0"?)', {"a": {**A, "master": "br1"}, "b": B}),
        missing(
            'its master "lan0" is a veth, not a bridge',
            {"a": {**A, "master": "lan0"}, "b": B},
            kind="conflict",
            before="ip link add lan0 type veth peer name lan1",
        ),
        missing(
            "hairpin is a setting of a bridge's port",
            {"a": {"name": "vweb", "hairpin": True}, "b": B},
            kind="conflict",
        ),
        missing(
            "a bridge of that name is there, not a veth",
            {"a": A, "b": B},
            kind="conflict",
            before="ip link add vweb type bridge",
        ),
        missing(
            'its other end "eth0 in web" cannot be made: a bridge of that name is there',
            {"a": A, "b": B},
            kind="conflict",
            before="ip -n web link add eth0 type bridge",
        ),
        missing(
            "one to there with this metric is there through uplink in web",
            {"a": A, "b": B},
            kind="conflict",
            before="""
            ip -n web link add uplink type bridge; ip -n web address add 172.17.9.1/16 dev uplink
            ip -n web link set uplink up; ip -n web route add default via 172.17.0.1 dev uplink
            """,
        ),
    ],
)
