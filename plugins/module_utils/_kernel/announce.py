# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Announcing addresses: gratuitous ARP (RFC 5227 section 3) and unsolicited neighbour advertisements (RFC 4861 section 7.2.6)."""

from __future__ import annotations

import contextlib
import errno
import itertools
import socket
import struct
import threading
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address

from .._model.announcement import Announcement
from .._model.link import Address
from . import neighbour
from . import rtnetlink as rt
from .netlink import NetlinkError
from .places import Places

# linux/if_packet.h: past the queueing discipline, which may not be there yet on a link that is just up.
SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20
EVERYBODY = b"\xff" * 6
ALL_NODES, ALL_NODES_MAC = IPv6Address("ff02::1"), bytes.fromhex("333300000001")
ICMPV6, HOP_LIMIT, ADVERTISEMENT, OVERRIDE, TARGET_MAC = 58, 255, 136, 0x20000000, 2
# The link has gone, or down, since: then nobody is to be told.
LEFT = (errno.ENODEV, errno.ENXIO, errno.ENETDOWN)
# The kernel waits for all processors when such a socket is closed (net/packet/af_packet.c packet_release): together they wait once.
AT_ONCE = 64


def announce(places: Places, announcements: Sequence[Announcement]) -> list[str]:
    """Returns what could not be announced, in sentences; the run has done what was asked all the same."""
    sockets: list[socket.socket] = []
    failed: dict[str, None] = {}
    try:
        for ref, some in itertools.groupby(announcements, key=lambda one: one.link.netns):
            here = list(some)
            try:
                renew(places, here)
                if any(one.others for one in here):
                    with places.inside(ref):
                        sockets.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
                    send(sockets[-1], (one for one in here if one.others))
            except OSError as error:
                why = f"the neighbours on {here[0].link} were not told of {here[0].address}: {error.strerror}"
                failed[f"{why}; they find out when their entries have aged"] = None
    finally:
        close(sockets)
    return list(failed)


def renew(places: Places, announcements: Iterable[Announcement]) -> None:
    """What the namespace itself knows of its neighbours. A link that is gone has none."""
    for key, some in itertools.groupby(announcements, key=lambda one: one.link):
        with contextlib.suppress(NetlinkError):
            near = places.socket(key.netns)
            index = rt.link_index(near.get(rt.get_link(key.name)))
            neighbour.renew(near, index, {one.address: one.mac for one in some})


def send(packets: socket.socket, announcements: Iterable[Announcement]) -> None:
    packets.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
    for one in announcements:
        try:
            packets.sendto(frame(one.address, bytes.fromhex(one.mac.replace(":", ""))), (one.link.name, 0))
        except OSError as error:
            if error.errno not in LEFT:
                raise


def close(sockets: Sequence[socket.socket]) -> None:
    if len(sockets) == 1:
        sockets[0].close()
    for some in _portions(sockets if len(sockets) > 1 else ()):
        threads = [threading.Thread(target=one.close) for one in some]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _portions(sockets: Sequence[socket.socket]) -> Iterator[Sequence[socket.socket]]:
    yield from (sockets[start : start + AT_ONCE] for start in range(0, len(sockets), AT_ONCE))


def frame(address: Address, mac: bytes) -> bytes:
    return question(address, mac) if isinstance(address, IPv4Address) else advertisement(address, mac)


def question(address: IPv4Address, mac: bytes) -> bytes:
    """An ARP request from the address for the address (RFC 826; linux/if_arp.h)."""
    header = struct.pack("!HHBBH", 1, 0x0800, len(mac), 4, 1)
    body = header + mac + address.packed + bytes(len(mac)) + address.packed
    return EVERYBODY + mac + b"\x08\x06" + body


def advertisement(address: IPv6Address, mac: bytes) -> bytes:
    """To all nodes, to be taken in place of what they know."""
    message = (
        struct.pack("!BBHI", ADVERTISEMENT, 0, 0, OVERRIDE) + address.packed + struct.pack("!BB", TARGET_MAC, 1) + mac
    )
    pseudo = address.packed + ALL_NODES.packed + struct.pack("!II", len(message), ICMPV6)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    header = struct.pack("!IHBB", 6 << 28, len(message), ICMPV6, HOP_LIMIT) + address.packed + ALL_NODES.packed
    return ALL_NODES_MAC + mac + b"\x86\xdd" + header + message


def checksum(data: bytes) -> int:
    """RFC 1071, of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
