# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""`driver_opts` of a network, under Docker's names, Podman's and our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Optional

from .._model.segment import ISOLATED, NAT, ROUTED, UNPROTECTED
from .._model.topology import HOST_GW, Options, Shim
from . import normalise
from .link import MTU
from .rule import published_on
from .schema import Node, suggestion

BRIDGE, MACVLAN, IPVLAN, OVERLAY = "bridge", "macvlan", "ipvlan", "overlay"
BRIDGED = (BRIDGE, OVERLAY)
ON_PARENT = (MACVLAN, IPVLAN)
BOTH = (BRIDGE, MACVLAN, IPVLAN, OVERLAY)
MODES = {mode: mode for mode in (NAT, UNPROTECTED, ROUTED, ISOLATED)}
MACVLAN_MODES = {mode: mode for mode in ("bridge", "private", "vepa", "passthru")}
IPVLAN_MODES = {mode: mode for mode in ("l2", "l3", "l3s")}
IPVLAN_FLAGS = {flag: flag for flag in ("bridge", "private", "vepa")}
OVERLAY_MODES = {mode: mode for mode in ("vxlan", HOST_GW)}
CONTROL = {word: word for word in ("static", "evpn")}
# The bridges that we make by other words.
RESERVED_DEVICES = ("docknet0", "docker0", "podman0", "lo")

DOCKER = "com.docker.network."
# Every name of an option, and which one it is.
NAMES: dict[str, tuple[str, tuple[str, ...]]] = {
    **{
        f"{DOCKER}bridge.{name}": (name, BRIDGED)
        for name in ("name", "default_bridge", "enable_icc", "enable_ip_masquerade", "host_binding_ipv4")
    },
    **{
        f"{DOCKER}bridge.{name}": (name, (BRIDGE,))
        for name in (
            "inhibit_ipv4",
            "gateway_mode_ipv4",
            "gateway_mode_ipv6",
            "trusted_host_interfaces",
        )
    },
    **{name: (name, BRIDGED) for name in ("enable_icc", "enable_ip_masquerade", "host_binding_ipv4")},
    **{
        name: (name, (BRIDGE,))
        for name in (
            "inhibit_ipv4",
            "gateway_mode",
            "gateway_mode_ipv4",
            "gateway_mode_ipv6",
            "trusted_host_interfaces",
        )
    },
    "icc": ("enable_icc", BRIDGED),
    "interface_name": ("name", BRIDGED),
    "isolate": ("isolate", BRIDGED),
    f"{DOCKER}host_ipv4": ("host_ipv4", (BRIDGE,)),
    f"{DOCKER}host_ipv6": ("host_ipv6", (BRIDGE,)),
    "outbound_addr4": ("host_ipv4", (BRIDGE,)),
    "outbound_addr6": ("host_ipv6", (BRIDGE,)),
    f"{DOCKER}driver.mtu": ("mtu", BOTH),
    "mtu": ("mtu", BOTH),
    f"{DOCKER}container_iface_prefix": ("prefix", BOTH),
    f"{DOCKER}enable_ipv4": ("enable_ipv4", BOTH),
    f"{DOCKER}enable_ipv6": ("enable_ipv6", BOTH),
    f"{DOCKER}internal": ("internal", BOTH),
    "no_default_route": ("no_default_route", BOTH),
    "mode": ("mode", BOTH),
    "macvlan_mode": ("mode", (MACVLAN,)),
    "ipvlan_mode": ("ipvlan_mode", (IPVLAN,)),
    "ipvlan_flag": ("ipvlan_flag", (IPVLAN,)),
    "parent": ("parent", ON_PARENT),
    "vlan": ("vlan", ON_PARENT),
    "host_shim": ("host_shim", ON_PARENT),
    f"{DOCKER}driver.overlay.vxlanid_list": ("vni", (OVERLAY,)),
    "vni": ("vni", (OVERLAY,)),
    "control_plane": ("control_plane", (OVERLAY,)),
    "encrypted": ("encrypted", (OVERLAY,)),
}
# What cannot be given its meaning here: why, and the way out.
REFUSED = {
    f"{DOCKER}advertise_addr_nmsgs": ("has nothing to announce: an address keeps its MAC address here", "leave it out"),
    f"{DOCKER}advertise_addr_ms": ("has nothing to announce: an address keeps its MAC address here", "leave it out"),
    "vrf": ("would put the bridge into a routing domain, which is not done", "leave it out"),
    "bclim": ("is a limit on broadcasts that is not set here", "leave it out"),
    "metric": ("is not needed: one network gives the default route", "use gw_priority of the container's network"),
}


@dataclass
class Said:
    """What the options say, beside Options itself; as the network's own keys have it, where those do."""

    ipv4: bool = True
    ipv6: bool = False
    internal: bool = False
    device: Optional[str] = None
    settings: Options = field(default_factory=Options)

    def on_parent(self, name: Node, parent: Optional[str]) -> Options:
        """The options with a parent, which may be the network's `name`."""
        parents = dict(self.settings.parents)
        if parent is not None and parents.setdefault("", parent) != parent:
            name.refuse(f"{parent!r} is not {parents['']!r}, which driver_opts has as the parent", "say one of them")
        return replace(self.settings, parents=parents)


def options(node: Node, driver: str, keys: Mapping[str, Optional[bool]]) -> Said:
    found: dict[str, Any] = {}
    places: dict[str, Node] = {}
    for key, one in node.entries():
        name = known(one, key, driver)
        if name == "encrypted" and not one.given:
            one.refuse("says nothing, and is nothing to be in doubt about", 'say true, as encrypted: "" does, or false')
        if name is None or not one.given:
            continue
        value = READERS[name](one)
        if value is None:
            continue
        if name in found and found[name] != value:
            one.refuse(f"says something else than {places[name].path}", "say it once")
        found[name], places[name] = value, one
    for key, own in keys.items():
        if own is not None and found.setdefault(key, own) != own:
            places[key].refuse(f"says something else than {key} of the network", "say it once")
    return said(found, places)


def known(node: Node, key: str, driver: str) -> Optional[str]:
    """Which option it is; what it cannot be has been said."""
    if key in REFUSED:
        node.refuse(*REFUSED[key])
    elif key not in NAMES:
        node.refuse("is not known", suggestion(key, [*NAMES, *REFUSED]))
    elif driver not in NAMES[key][1]:
        node.refuse(f"is an option of driver {NAMES[key][1][0]}, and this network has driver {driver}", "leave it out")
    else:
        return check_mode(node, key, driver)
    return None


def check_mode(node: Node, key: str, driver: str) -> Optional[str]:
    """Podman's `mode` means another thing with each driver."""
    name = NAMES[key][0]
    if name != "mode" or driver == MACVLAN:
        return name
    if driver == IPVLAN:
        return "ipvlan_mode"
    if driver == OVERLAY:
        return "overlay_mode"
    if node.value != "managed":
        node.refuse("of a bridge is managed here", "join a bridge of others by external: true and its name")
    return None


def said(found: Mapping[str, Any], places: Mapping[str, Node]) -> Said:
    modes = {version: found.get(f"gateway_mode_ipv{version}", found.get("gateway_mode", NAT)) for version in (4, 6)}
    shim = found.get("host_shim")
    for name, word in (("mode", "mode"), ("ipvlan_flag", "flag")):
        if shim and found.get(name, "bridge") != "bridge":
            why = f"has no use with {word} {found[name]}, in which children do not reach each other"
            places["host_shim"].refuse(why, f"use {word} bridge")
    if found.get("encrypted") and found.get("control_plane") == "evpn":
        why = "has no use with control_plane evpn, whose hosts are found by themselves, and their keys are not"
        places["encrypted"].refuse(why, "leave control_plane out")
    if found.get("overlay_mode") == HOST_GW:
        why = "is of mode vxlan, and this network has mode host-gw, in which hosts route its packets as they are"
        for name in ("vni", "control_plane", "encrypted"):
            if found.get(name) not in (None, False, "static"):
                places[name].refuse(why, "leave one of the two out")
    settings = Options(
        mtu=found.get("mtu"),
        icc=found.get("enable_icc", True),
        masquerade=found.get("enable_ip_masquerade", True),
        modes=modes,
        publish_on={4: found["host_binding_ipv4"]} if "host_binding_ipv4" in found else {},
        sources={version: found[f"host_ipv{version}"] for version in (4, 6) if f"host_ipv{version}" in found},
        inhibit_ipv4=found.get("inhibit_ipv4", False),
        trusted=found.get("trusted_host_interfaces", ()),
        prefix=found.get("prefix", "eth"),
        default_route=not found.get("no_default_route", False),
        parents=found.get("parent", {}),
        mode=next((found[name] for name in ("mode", "ipvlan_mode", "overlay_mode") if name in found), None),
        flag=found.get("ipvlan_flag"),
        vlan=found.get("vlan"),
        shim=shim,
        vni=found.get("vni"),
        control=found.get("control_plane", "static"),
        encrypted=found.get("encrypted", False),
    )
    return Said(
        found.get("enable_ipv4", True),
        found.get("enable_ipv6", False),
        found.get("internal", False),
        found.get("name"),
        settings,
    )


def device(node: Node) -> Optional[str]:
    name = node.parse(normalise.link_name)
    if name in RESERVED_DEVICES:
        node.refuse(f"{name!r} is a link that others have", "choose another name")
        return None
    return name


def family(version: int) -> Callable[[Node], Any]:
    def read(node: Node) -> Any:
        address = node.parse(normalise.address)
        if address is None or address.version == version:
            return address
        node.refuse(f"{address} is not IPv{version}")
        return None

    return read


def binding(node: Node) -> Any:
    address = node.parse(lambda what, option, value: published_on(what, value))
    if address is None or address.version == 4:
        return address
    node.refuse(f"{address} is not IPv4")
    return None


def trusted(node: Node) -> Optional[tuple[str, ...]]:
    """Docker has colons between them; a list is as good."""
    if isinstance(node.value, (list, tuple)):
        return tuple(name for name in (one.parse(normalise.link_name) for one in node.items()) if name)
    text = node.text()
    names = [node.attempt(normalise.link_name, name) for name in (text or "").split(":") if text]
    return tuple(name for name in names if name)


def prefix(node: Node) -> Optional[str]:
    """With a number behind it, it is an interface's name."""
    text = node.text()
    if text is None or node.attempt(normalise.link_name, f"{text}99") is None:
        return None
    if not text or text[-1].isdigit():
        node.refuse(f"{text!r} is no beginning of a name that a number follows", "let it end in a letter")
        return None
    return text


def encrypted(node: Node) -> Optional[bool]:
    """Docker's `--opt encrypted` has no value."""
    return True if node.value == "" else node.flag()


def default_bridge(node: Node) -> None:
    """`docker network inspect bridge` shows it as true. A network of a document is another one."""
    if node.flag():
        node.refuse("is of Docker's own bridge", "leave it out, or use network_mode: bridge for the host's default one")


def isolate(node: Node) -> None:
    """Networks are always kept apart, as with Podman's `true` and `strict`."""
    if node.value != "strict" and node.flag() is False:
        node.refuse("cannot be false: networks are always kept apart", "put the containers on a common network")


def parent(node: Node) -> Optional[dict[str, str]]:
    """One for every host, or a mapping of hosts."""
    if not isinstance(node.value, Mapping):
        name = node.parse(normalise.link_name)
        return {"": name} if name else None
    found = {host: one.parse(normalise.link_name) for host, one in node.entries()}
    return {host: name for host, name in found.items() if name}


def vni(node: Node) -> Optional[int]:
    """Docker has a list of them, one for each subnet."""
    return node.whole(1, 2**24 - 1)


def host_shim(node: Node) -> Optional[Shim]:
    if isinstance(node.value, str):
        name = device(node)
        return Shim(name) if name else None
    node.check(("name", "address"))
    if isinstance(node.value, Mapping) and not node["name"].given:
        node["name"].refuse("is missing", "name the interface that the host gets")
    name = device(node["name"])
    return Shim(name, node["address"].parse(normalise.address)) if name else None


READERS: dict[str, Callable[[Node], Any]] = {
    "name": device,
    **dict.fromkeys(
        (
            "enable_icc",
            "enable_ip_masquerade",
            "inhibit_ipv4",
            "enable_ipv4",
            "enable_ipv6",
            "internal",
            "no_default_route",
        ),
        Node.flag,
    ),
    **dict.fromkeys(("gateway_mode", "gateway_mode_ipv4", "gateway_mode_ipv6"), lambda node: node.choice(MODES)),
    "host_binding_ipv4": binding,
    "host_ipv4": family(4),
    "host_ipv6": family(6),
    "trusted_host_interfaces": trusted,
    "mtu": lambda node: node.whole(*MTU),
    "prefix": prefix,
    "isolate": isolate,
    "default_bridge": default_bridge,
    "mode": lambda node: node.choice(MACVLAN_MODES),
    "ipvlan_mode": lambda node: node.choice(IPVLAN_MODES),
    "overlay_mode": lambda node: node.choice(OVERLAY_MODES),
    "ipvlan_flag": lambda node: node.choice(IPVLAN_FLAGS),
    "parent": parent,
    "vlan": lambda node: node.whole(1, 4094),
    "host_shim": host_shim,
    "vni": vni,
    "control_plane": lambda node: node.choice(CONTROL),
    "encrypted": encrypted,
}
