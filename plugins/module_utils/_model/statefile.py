# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A saved specification as text, and back. The same state is always the same text.

Addresses are text in it, and the document is as it was given, in its order: the order of containers and networks has a meaning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .errors import DocknetError, Unsupported
from .link import Address, Network
from .rule import Ports
from .state import VERSION, Allocation, Lease, NetworkLease, State
from .wireguard_key import PublicKey
from .words import read_address, read_network

DIRECTORY = "/var/lib/docknet"
# As owners are named: see _topology/normalise.py.
FILE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})\.json")


class DamagedState(DocknetError):
    """A saved specification that cannot be understood."""

    kind = "damaged"


def path_of(name: str) -> str:
    return f"{DIRECTORY}/{name}.json"


def encode(state: State) -> str:
    return json.dumps(plain(state), indent=1, ensure_ascii=True) + "\n"


def plain(state: State) -> dict[str, Any]:
    """What the file says, in plain types."""
    chosen = state.allocation
    ports: dict[str, dict[str, str]] = {}
    for (container, port), published in sorted(chosen.ports.items()):
        on = chosen.published_on.get((container, port), ())
        ports.setdefault(container, {})[port] = encode_ports(published, on)
    return {
        "version": VERSION,
        "name": state.name,
        "host": state.host,
        "networks": {name: encode_network(one) for name, one in sorted(chosen.networks.items())},
        "endpoints": encode_leases(chosen.endpoints),
        "ports": ports,
        "attached": sorted(state.attached),
        **({"peers": {name: str(address) for name, address in sorted(state.peers.items())}} if state.peers else {}),
        **({"keys": encode_keys(state.keys)} if state.keys else {}),
        **({"elsewhere": encode_leases(chosen.elsewhere)} if chosen.elsewhere else {}),
        "document": state.document,
    }


def encode_keys(keys: Mapping[str, PublicKey]) -> dict[str, str]:
    """By host: the port, and the public key."""
    return {host: f"{key.port} {key.text}" for host, key in sorted(keys.items())}


def decode_keys(words: Mapping[str, str]) -> dict[str, PublicKey]:
    pairs = ((host, text.split()) for host, text in words.items())
    return {host: PublicKey(key, int(port)) for host, (port, key) in pairs}


def encode_leases(leases: Mapping[tuple[str, str], Lease]) -> dict[str, dict[str, Any]]:
    """By container and network."""
    found: dict[str, dict[str, Any]] = {}
    for (container, network), lease in sorted(leases.items()):
        words = {"ipv4": text(lease.ipv4), "ipv6": text(lease.ipv6), "mac": lease.mac, "interface": lease.interface}
        found.setdefault(container, {})[network] = words
    return found


def encode_network(lease: NetworkLease) -> dict[str, Any]:
    gateways = [str(lease.gateways[subnet]) for subnet in lease.subnets if subnet in lease.gateways]
    shim = [str(lease.shim[version]) for version in sorted(lease.shim)]
    words = {"device": lease.device, "subnets": [str(one) for one in lease.subnets], "gateways": gateways}
    more = {"shim": shim, "vni": lease.vni, "mtu": lease.mtu, "slices": encode_slices(lease.slices)}
    return {**words, **{name: value for name, value in more.items() if value}}


def encode_slices(slices: Mapping[str, Sequence[Network]]) -> dict[str, list[str]]:
    """By host."""
    return {host: [str(one) for one in parts] for host, parts in sorted(slices.items())}


def decode_slices(words: Mapping[str, Sequence[str]]) -> dict[str, tuple[Network, ...]]:
    return {host: tuple(read_network(one) for one in parts) for host, parts in words.items()}


def encode_ports(published: Ports, on: Sequence[Address]) -> str:
    """As `docker ps` has it: 0.0.0.0:8080 [::]:8080."""
    hosts = (str(address) if address.version == 4 else f"[{address}]" for address in on)
    return " ".join(f"{host}:{published}" for host in hosts) or str(published)


def text(value: object) -> Optional[str]:
    return None if value is None else str(value)


def decode(name: str, content: str) -> State:
    """Errors: DamagedState, Unsupported for a file that a later version of this collection wrote."""
    what, path = f"topology {name}", path_of(name)
    remove = "remove the file, and what is missing is made again from what is seen on the host"
    try:
        whole = json.loads(content)
        version = whole["version"]
        if isinstance(version, int) and version > VERSION:
            why = f"{path} is of version {version}, and this collection knows up to {VERSION}"
            raise Unsupported(what, why, "use the later netwright.docknet that wrote it")
        state = decode_state(whole)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedState(what, f"{path} is damaged ({type(error).__name__}: {error})", remove) from None
    if version != VERSION or state.name != name:
        raise DamagedState(what, f'{path} says it is version {version} of topology "{state.name}"', remove)
    return state


def decode_state(whole: Mapping[str, Any]) -> State:
    if not isinstance(whole["document"], dict) or not isinstance(whole["name"], str):
        raise ValueError("no document")
    published = {
        (container, port): decode_ports(words)
        for container, ports in whole["ports"].items()
        for port, words in ports.items()
    }
    chosen = Allocation(
        {network: decode_network(words) for network, words in whole["networks"].items()},
        decode_leases(whole["endpoints"]),
        {key: ports for key, (ports, _on) in published.items()},
        {key: on for key, (_ports, on) in published.items() if on},
        decode_leases(whole.get("elsewhere", {})),
    )
    peers = {name: read_address(address) for name, address in whole.get("peers", {}).items()}
    keys = decode_keys(whole.get("keys", {}))
    return State(whole["name"], whole["host"], whole["document"], chosen, tuple(whole["attached"]), peers, keys)


def decode_network(words: Mapping[str, Any]) -> NetworkLease:
    subnets = tuple(read_network(one) for one in words["subnets"])
    gateways = {subnet: one for one in map(read_address, words["gateways"]) for subnet in subnets if one in subnet}
    shim: dict[int, Address] = {one.version: one for one in map(read_address, words.get("shim", ()))}
    slices = decode_slices(words.get("slices", {}))
    return NetworkLease(words["device"], subnets, gateways, shim, words.get("vni"), words.get("mtu"), slices)


def decode_leases(whole: Mapping[str, Any]) -> dict[tuple[str, str], Lease]:
    return {
        (container, network): decode_lease(words)
        for container, networks in whole.items()
        for network, words in networks.items()
    }


def decode_lease(words: Mapping[str, Any]) -> Lease:
    four, six = (words[name] if words[name] is None else read_address(words[name]) for name in ("ipv4", "ipv6"))
    return Lease(four, six, words["mac"], words.get("interface"))


def decode_ports(words: str) -> tuple[Ports, tuple[Address, ...]]:
    hosts, _colons, ports = zip(*(each.rpartition(":") for each in words.split()))
    first, _dash, last = ports[0].partition("-")
    return Ports(int(first), int(last or first)), tuple(read_address(host.strip("[]")) for host in hosts if host)
