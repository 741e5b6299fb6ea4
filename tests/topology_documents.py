# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Topology documents for property tests, and what somebody makes of one after a while.

Everything is drawn freely from few values, so that much of it meets; `valid` then takes away what a document must not say.
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]
LAN = {"subnet": "198.51.100.0/24", "ip_range": "198.51.100.64/26"}
BRIDGES = ("red", "green", "blue")
NETWORKS = (*BRIDGES, "lan")
CONTAINERS = ("ant", "bee", "cat", "dog", "elk", "fox")
PORTS = (
    "8080:80",
    "8081:80",
    "127.0.0.1:8443:443",
    "198.51.100.1:8080:80",
    "7000-7003:7000-7003/udp",
    "53",
    "5353/udp",
    "8100-8110:90",
    "8080:80/udp",
    {"target": 81, "published": "8200", "protocol": "tcp", "allowed_sources": ["198.51.100.0/25"]},
)
MODES = ("nat", "nat-unprotected", "routed")


def sometimes(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly None, which leaves the key out."""
    return st.one_of(st.none(), st.none(), strategy)


def mapping(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(keys).map(said)


def said(words: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in words.items() if value is not None}


def some(values: tuple[Any, ...], most: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique_by=str)


def bridge(number: int) -> st.SearchStrategy[Document]:
    four = st.builds(
        lambda second, rest: {"subnet": f"10.9{number}.{second}.0/24", **rest(f"10.9{number}.{second}")},
        st.integers(0, 1),
        st.sampled_from(
            (
                lambda _net: {},
                lambda net: {"ip_range": f"{net}.64/28"},
                lambda net: {"gateway": f"{net}.254"},
                lambda net: {"aux_addresses": {"printer": f"{net}.2"}},
            )
        ),
    )
    options = mapping(
        enable_icc=sometimes(st.just(False)),
        enable_ip_masquerade=sometimes(st.just(False)),
        gateway_mode_ipv4=sometimes(st.sampled_from(MODES)),
        gateway_mode_ipv6=sometimes(st.sampled_from(MODES)),
        host_binding_ipv4=sometimes(st.just("127.0.0.1")),
        outbound_addr4=sometimes(st.just("198.51.100.1")),
        inhibit_ipv4=sometimes(st.just(True)),
        trusted_host_interfaces=sometimes(st.just("lan0")),
        mtu=sometimes(st.sampled_from((1400, 1450))),
        no_default_route=sometimes(st.just(True)),
        **{"com.docker.network.container_iface_prefix": sometimes(st.just("net"))},
    )
    return mapping(
        enable_ipv6=st.sampled_from((None, True)),
        internal=sometimes(st.just(True)),
        name=sometimes(st.just(f"br-of-{number}")),
        subnets=sometimes(st.tuples(four, st.sampled_from((f"fd9{number}::/64", f"fd9{number}:1::/64")))),
        ipam=sometimes(sometimes(st.just({"driver": "none"}))),
        driver_opts=options,
    )


def macvlan() -> st.SearchStrategy[Document]:
    options = mapping(
        parent=st.just("lan0"),
        macvlan_mode=sometimes(st.sampled_from(("private", "vepa", "bridge"))),
        mtu=sometimes(st.just(1400)),
        host_shim=sometimes(st.just({"name": "shim0", "address": "198.51.100.130"})),
    )
    gateway = st.sampled_from(({}, {"gateway": "198.51.100.2"}))
    return st.builds(
        lambda opts, more: {"driver": "macvlan", "ipam": {"config": [{**LAN, **more}]}, "driver_opts": opts},
        options,
        gateway,
    )


def endpoint() -> st.SearchStrategy[Document]:
    """`static` counts within the subnet, where that is given."""
    return mapping(
        aliases=sometimes(some(("www", "store", "Shop.Example"), 2)),
        static=sometimes(st.integers(20, 22)),
        static6=sometimes(st.integers(20, 22)),
        mac_address=sometimes(st.sampled_from(("02:00:00:00:00:01", "02:00:00:00:00:02"))),
        interface_name=sometimes(st.sampled_from(("wire0", "eth1"))),
        gw_priority=sometimes(st.sampled_from((-1, 1, 7))),
        driver_opts=sometimes(
            st.sampled_from(
                (
                    {"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1"},
                    {"host_interface_name": "vhost0"},
                )
            )
        ),
    )


def container() -> st.SearchStrategy[Document]:
    own = {
        "ports": sometimes(some(PORTS, 3)),
        "links": sometimes(some(tuple(f"{name}:peer" for name in CONTAINERS), 2)),
        "hostname": sometimes(st.just("named")),
        "extra_hosts": sometimes(some(("registry:host-gateway", "far:192.0.2.9", "six:fd00::9"), 2)),
        "dns": sometimes(st.just(["192.0.2.53"])),
        "dns_search": sometimes(st.just(["example.org"])),
        "sysctls": sometimes(st.just({"net.core.somaxconn": 512})),
        "netns_name": sometimes(st.sampled_from(("room", "hall"))),
    }
    joined = st.lists(
        st.tuples(st.sampled_from(NETWORKS), endpoint()), min_size=1, max_size=3, unique_by=lambda one: one[0]
    )
    networked = mapping(networks=joined.map(dict), mac_address=sometimes(st.just("02:00:00:00:00:09")), **own)
    mode = st.sampled_from(("none", "host", *(f"container:{name}" for name in CONTAINERS)))
    return st.one_of(
        networked,
        networked,
        networked,
        mapping(network_mode=st.just("bridge"), **own),
        mapping(**own),
        mapping(network_mode=mode),
    )


def networks() -> dict[str, st.SearchStrategy[Document]]:
    return {**{name: bridge(number) for number, name in enumerate(BRIDGES)}, "lan": macvlan()}


@st.composite
def pairs(draw: Any) -> tuple[Document, Document]:
    """A document, and what it is changed to: of everything, some stays, some changes, some goes and some comes."""
    kinds = networks()
    before = {
        "networks": {name: draw(kinds[name]) for name in NETWORKS},
        "containers": {name: draw(container()) for name in CONTAINERS[: draw(st.integers(1, 5))]},
    }
    after = copy.deepcopy(before)
    for name in NETWORKS:
        if draw(st.integers(0, 2)) == 0:
            after["networks"][name] = draw(kinds[name])
    for name in CONTAINERS:
        fate = draw(st.integers(0, 4))
        if fate == 0:
            after["containers"].pop(name, None)
        elif fate == 1:
            after["containers"][name] = draw(container())
        elif fate == 2 and name in before["containers"]:
            edit(draw, after["containers"][name])
    return valid(before), valid(after)


def edit(draw: Any, one: Document) -> None:
    """One thing about a container."""
    fresh = draw(container())
    if "networks" in one and "networks" in fresh and draw(st.booleans()):
        mine, other = one["networks"], fresh["networks"]
        choice = draw(st.integers(0, 3))
        if choice == 0:
            one["networks"] = dict(reversed(mine.items()))
        elif choice == 1:
            one["networks"] = {**mine, **other}
        elif choice == 2:
            one["networks"] = {name: mine[name] for name in list(mine)[:1]}
        else:
            one["networks"] = {name: other.get(name, said) for name, said in mine.items()}
        return
    if "network_mode" in one or "network_mode" in fresh:
        return
    for key in ("ports", "links", "hostname", "extra_hosts", "dns", "netns_name"):
        if draw(st.booleans()):
            one.pop(key, None)
            one.update({key: fresh[key]} if key in fresh else {})


# -- what a document may say ------------------------------------------------------------------------------------


def valid(drawn: Document) -> Document:
    """The document without what its reader would refuse, in the order in which it was said."""
    document = copy.deepcopy(drawn)
    document = {"name": "shop", "networks": document["networks"], "containers": document["containers"]}
    for one in document["networks"].values():
        network(one)
    taken: set[Any] = set()
    for name, one in document["containers"].items():
        for to, said_there in one.get("networks", {}).items():
            attached(said_there, to, document["networks"][to], taken)
        unique_interfaces(one)
        if "netns_name" in one and one["netns_name"] in taken:
            del one["netns_name"]
        taken.add(one.get("netns_name", name))
        if "mac_address" in one and (one["mac_address"] in taken or not plain_mac(one)):
            del one["mac_address"]
        taken.add(one.get("mac_address"))
    for name, one in document["containers"].items():
        join(document["containers"], name, one)
    for one in document["containers"].values():
        gateways(document["networks"], one)
    for name, one in document["containers"].items():
        link(document["containers"], name, one)
    published(document)
    return document


def network(one: Document) -> None:
    options = one["driver_opts"]
    subnets = one.pop("subnets", None)
    if one.get("driver") == "macvlan":
        if options.get("macvlan_mode", "bridge") != "bridge":
            options.pop("host_shim", None)
        return
    if one.get("ipam") is None and subnets:
        four, six = subnets
        one["ipam"] = {"config": [four] + ([{"subnet": six}] if one.get("enable_ipv6") else [])}
    if not one.get("enable_ipv6"):
        options.pop("gateway_mode_ipv6", None)
    if not options:
        del one["driver_opts"]


def attached(said_there: Document, to: str, there: Document, taken: set[Any]) -> None:
    given = {("6" if ":" in pool["subnet"] else ""): pool["subnet"] for pool in there.get("ipam", {}).get("config", [])}
    for version, key in (("", "ipv4_address"), ("6", "ipv6_address")):
        number = said_there.pop(f"static{version}", None)
        if number is None or version not in given:
            continue
        subnet = given[version].partition("/")[0]
        address = f"{subnet}{number:x}" if version else f"{subnet.rpartition('.')[0]}.{number}"
        if address not in taken:
            taken.add(address)
            said_there[key] = address
    mac = said_there.get("mac_address")
    if mac and (to, mac) in taken:
        del said_there["mac_address"]
    taken.add((to, mac))
    options = said_there.get("driver_opts", {})
    if "host_interface_name" in options and (there.get("driver") == "macvlan" or "vhost0" in taken):
        del said_there["driver_opts"]
    elif "host_interface_name" in options:
        taken.add("vhost0")


def unique_interfaces(one: Document) -> None:
    names: set[str] = set()
    for said_there in one.get("networks", {}).values():
        if said_there.get("interface_name") in names:
            del said_there["interface_name"]
        names.add(said_there.get("interface_name", ""))


def plain_mac(one: Document) -> bool:
    first = next(iter(one.get("networks", {}).values()), {})
    return "mac_address" not in first


def join(all_of_them: Document, name: str, one: Document) -> None:
    """container:X is another, which has a namespace of its own."""
    other = one.get("network_mode", "").partition("container:")[2]
    mode = all_of_them.get(other, {}).get("network_mode", "")
    if other and (other == name or other not in all_of_them or mode.startswith("container:") or mode == "host"):
        one["network_mode"] = "none"


def link(all_of_them: Document, name: str, one: Document) -> None:
    mine = on(one)
    links = [
        text for text in one.get("links", []) for to in [text.partition(":")[0]] if to != name and to in all_of_them
    ]
    one["links"] = [text for text in links if mine & on(all_of_them[text.partition(":")[0]])]
    if not one["links"]:
        del one["links"]


def gateways(nets: Document, one: Document) -> None:
    """Only who is on a bridge with the host's address can have the host's own one in his hosts file."""
    led = False
    for name in on(one):
        there = nets.get(name, {})
        plain = there.get("driver") != "macvlan" and there.get("ipam", {}).get("driver") != "none"
        led = led or (plain and not there.get("driver_opts", {}).get("inhibit_ipv4"))
    one["extra_hosts"] = [text for text in one.get("extra_hosts", []) if led or "host-gateway" not in text]
    if not one["extra_hosts"]:
        del one["extra_hosts"]


def on(one: Document) -> set[str]:
    if "network_mode" in one:
        return {"bridge"} if one["network_mode"] == "bridge" else set()
    return set(one.get("networks", {"default": {}}))


def published(document: Document) -> None:
    """Each host port once; what has no way out of its container has none."""
    taken: set[str] = set()
    for one in document["containers"].values():
        mine = []
        for port in one.get("ports", []):
            host = "8200" if isinstance(port, dict) else port.replace("127.0.0.1:", "").replace("198.51.100.1:", "")
            if host.partition(":")[0] + host.partition("/")[2] not in taken:
                mine.append(port)
                taken.add(host.partition(":")[0] + host.partition("/")[2])
        if mine:
            one["ports"] = mine
        else:
            one.pop("ports", None)
