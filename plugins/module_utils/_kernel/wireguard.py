# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""WireGuard interfaces: the link by rtnetlink, what it is told by generic netlink (linux/wireguard.h).

By the kernel's own interface and not by wg(8): so no host needs a package more, and a private key passes through no pipe.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import socket as sockets
import struct
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import NamedTuple, Optional

from .._model.errors import DocknetError, KernelRefused, Unsupported
from .._model.link import Address, Birth, Kind, LinkKey, Network
from .._model.plan import Operation, Question, World
from .._model.wireguard import Peer, Tunnel, TunnelChange, Wireguard
from . import genetlink, keyfile
from .netlink import Message, NetlinkError, Socket, attribute, attributes, each_attribute, nested, text, u8, u16
from .netlink import u32 as number
from .places import Done, Places
from .rtnetlink import FAMILIES

MODEL = Wireguard
NAME = "wireguard"
NONE_HERE = "this kernel has no WireGuard, which an encrypted network takes"
WAY_OUT = "install its module wireguard (Linux 5.6 or later), or leave encrypted out"
HINTS = {errno.EOPNOTSUPP: WAY_OUT}
WG_CMD_GET_DEVICE, WG_CMD_SET_DEVICE = 0, 1
WGDEVICE_A_IFNAME, WGDEVICE_A_PRIVATE_KEY, WGDEVICE_A_PUBLIC_KEY, WGDEVICE_A_LISTEN_PORT = 2, 3, 4, 6
WGDEVICE_A_PEERS = 8
WGPEER_A_PUBLIC_KEY, WGPEER_A_FLAGS, WGPEER_A_ENDPOINT, WGPEER_A_LAST_HANDSHAKE_TIME, WGPEER_A_ALLOWEDIPS = (
    1,
    3,
    4,
    6,
    9,
)
WGPEER_F_REMOVE_ME, WGPEER_F_REPLACE_ALLOWEDIPS = 1, 2
WGALLOWEDIP_A_FAMILY, WGALLOWEDIP_A_IPADDR, WGALLOWEDIP_A_CIDR_MASK = 1, 2, 3
# A nested attribute has at most 64 KiB; a peer takes some 120 bytes.
AT_ONCE = 200
# The private key is among what the kernel tells root: it is left out from the first moment.
TOLD = frozenset((WGDEVICE_A_PUBLIC_KEY, WGDEVICE_A_LISTEN_PORT, WGDEVICE_A_PEERS))


# -- the link -------------------------------------------------------------------------------------------------


def encode(_birth: Birth, _places: Mapping[object, int]) -> bytes:
    return b""


def change(_values: Mapping[str, object]) -> list[bytes]:
    return []


def decode(_data: Mapping[int, bytes], _below: LinkKey) -> Kind:
    return Wireguard()


# -- looking --------------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """A socket in a namespace, and the number that WireGuard has there."""

    socket: Socket
    family: int


@contextlib.contextmanager
def socket_of(places: Places, key: LinkKey) -> Iterator[Socket]:
    with places.inside(key.netns):
        socket = Socket(genetlink.NETLINK_GENERIC)
    with contextlib.closing(socket):
        yield socket


def look(places: Places, question: Question, world: World) -> None:
    """A link that is not there, or is of another kind, is told nothing."""
    for key in question.tunnels:
        with socket_of(places, key) as socket:
            family = genetlink.family(socket, NAME)
            there = seen(Line(socket, family), key) if family is not None else None
        if there:
            world.tunnels[key] = there


def found(what: str, socket: Socket) -> Line:
    """Errors: Unsupported where the kernel has no WireGuard."""
    family = genetlink.family(socket, NAME)
    if family is None:
        raise Unsupported(what, NONE_HERE, WAY_OUT)
    return Line(socket, family)


def seen(here: Line, key: LinkKey) -> Optional[Tunnel]:
    asked = genetlink.request(here.family, WG_CMD_GET_DEVICE, text(WGDEVICE_A_IFNAME, key.name))
    try:
        parts = here.socket.dump(asked)
    except NetlinkError as error:
        if error.refusal.code not in (errno.ENODEV, errno.EOPNOTSUPP):
            raise
        return None
    public, port = "", 0
    peers: dict[str, Peer] = {}
    for part in parts:
        words = attributes(part, genetlink.HEADER.size, TOLD)
        if WGDEVICE_A_PUBLIC_KEY in words:
            public = key_text(words[WGDEVICE_A_PUBLIC_KEY])
        if WGDEVICE_A_LISTEN_PORT in words:
            port = struct.unpack_from("=H", words[WGDEVICE_A_LISTEN_PORT])[0]
        for _place, body in each_attribute(words.get(WGDEVICE_A_PEERS, b"")):
            one = _peer(attributes(body))
            # One with many addresses goes on in the next part.
            first = peers.get(one.key)
            peers[one.key] = first._replace(allowed=first.allowed | one.allowed) if first else one
    return Tunnel(key, "", public, port, tuple(peers.values()))


def _peer(words: Mapping[int, bytes]) -> Peer:
    endpoint = words.get(WGPEER_A_ENDPOINT)
    time = words.get(WGPEER_A_LAST_HANDSHAKE_TIME, b"")
    return Peer(
        key_text(words[WGPEER_A_PUBLIC_KEY]),
        read_endpoint(endpoint) if endpoint else None,
        frozenset(_network(attributes(body)) for _place, body in each_attribute(words.get(WGPEER_A_ALLOWEDIPS, b""))),
        heard=any(time),
    )


def _network(words: Mapping[int, bytes]) -> Network:
    return ip_network((words[WGALLOWEDIP_A_IPADDR], words[WGALLOWEDIP_A_CIDR_MASK][0]))


def read_endpoint(data: bytes) -> tuple[Address, int]:
    """struct sockaddr_in, struct sockaddr_in6."""
    family, port = struct.unpack_from("=H", data)[0], struct.unpack_from("!H", data, 2)[0]
    return ip_address(data[4:8] if family == sockets.AF_INET else data[8:24]), port


def key_text(data: bytes) -> str:
    """As wg(8) writes it; the kernel says nothing but zeros where there is none."""
    return base64.b64encode(data).decode() if any(data) else ""


# -- doing ----------------------------------------------------------------------------------------------------


def check(places: Places, operations: Sequence[Operation]) -> None:
    """Whether the kernel can, before anything is changed. Errors: Unsupported."""
    for operation in operations:
        if isinstance(operation.value, TunnelChange):
            with socket_of(places, operation.value.tunnel.link) as socket:
                found(operation.what, socket)


def tell(places: Places, operations: Sequence[Operation]) -> Done:
    for operation in operations:
        asked: TunnelChange = operation.value
        try:
            with socket_of(places, asked.tunnel.link) as socket:
                here = found(operation.what, socket)
                answers = socket.send(_messages(here, asked))
            no = next(filter(None, answers), None)
            if no:
                why = f"the kernel refused to set {asked}: {no.text} (errno {no.code})"
                raise KernelRefused(operation.what, why, code=no.code)
            yield operation, None
        except DocknetError as error:
            yield operation, error


def give(here: Line, key: LinkKey, private: bytes) -> Message:
    """The message that gives an interface its key."""
    return _set(here, key, attribute(WGDEVICE_A_PRIVATE_KEY, private))


def _set(here: Line, key: LinkKey, body: bytes) -> Message:
    return genetlink.request(here.family, WG_CMD_SET_DEVICE, text(WGDEVICE_A_IFNAME, key.name) + body)


def _messages(here: Line, asked: TunnelChange) -> list[Message]:
    """A peer that changes is put in anew: so what was heard of it does not count any more."""
    key, port = asked.tunnel.link, struct.pack("=H", asked.tunnel.port)
    messages = [give(here, key, keyfile.private(asked.tunnel.owner))] if asked.rekey else []
    messages.append(_set(here, key, attribute(WGDEVICE_A_LISTEN_PORT, port)))
    entries = [_gone(one) for one in (*asked.remove, *asked.add)] + [_new(one) for one in asked.add]
    for start in range(0, len(entries), AT_ONCE):
        messages.append(_set(here, key, nested(WGDEVICE_A_PEERS, *entries[start : start + AT_ONCE])))
    return messages


def _gone(peer: Peer) -> bytes:
    """One that is not there is no error."""
    return nested(0, _key(peer), number(WGPEER_A_FLAGS, WGPEER_F_REMOVE_ME))


def _new(peer: Peer) -> bytes:
    endpoint = attribute(WGPEER_A_ENDPOINT, pack_endpoint(*peer.endpoint)) if peer.endpoint else b""
    allowed = nested(WGPEER_A_ALLOWEDIPS, *map(_allowed, sorted(peer.allowed, key=str)))
    return nested(0, _key(peer), number(WGPEER_A_FLAGS, WGPEER_F_REPLACE_ALLOWEDIPS), endpoint, allowed)


def _key(peer: Peer) -> bytes:
    return attribute(WGPEER_A_PUBLIC_KEY, base64.b64decode(peer.key))


def _allowed(network: Network) -> bytes:
    family = u16(WGALLOWEDIP_A_FAMILY, FAMILIES[network.version])
    address = attribute(WGALLOWEDIP_A_IPADDR, network.network_address.packed)
    return nested(0, family, address, u8(WGALLOWEDIP_A_CIDR_MASK, network.prefixlen))


def pack_endpoint(address: Address, port: int) -> bytes:
    if address.version == 4:
        return struct.pack("=H", FAMILIES[4]) + struct.pack("!H", port) + address.packed + bytes(8)
    return struct.pack("=H", FAMILIES[6]) + struct.pack("!HI", port, 0) + address.packed + bytes(4)
