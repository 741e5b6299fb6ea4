# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The sockets of the current network namespace that wait for packets: /proc/net/tcp and its like (proc_net_tcp.rst)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from .._model.link import Address

# Column "st": TCP_LISTEN, and TCP_CLOSE, which is a UDP socket that is not connected.
WAITING = {"tcp": "0A", "udp": "07"}


class Row(NamedTuple):
    """`inode` 0: it is the kernel's own, such as WireGuard's. `unread`: bytes that came and were not read."""

    protocol: str
    address: Address
    port: int
    inode: int
    unread: int = 0


def waiting(*protocols: str) -> Iterator[Row]:
    for protocol in protocols:
        for table in (protocol, f"{protocol}6"):
            for line in lines(f"/proc/thread-self/net/{table}")[1:]:
                words = line.split()
                if len(words) > 9 and words[3] == WAITING[protocol]:
                    raw, _colon, port = words[1].partition(":")
                    unread = int(words[4].partition(":")[2], 16)
                    yield Row(protocol, address_of(raw), int(port, 16), int(words[9]), unread)


def address_of(raw: str) -> Address:
    """From words of 32 bits, each in the machine's byte order."""
    packed = b"".join(struct.pack("=I", int(raw[at : at + 8], 16)) for at in range(0, len(raw), 8))
    found = ip_address(packed)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []
