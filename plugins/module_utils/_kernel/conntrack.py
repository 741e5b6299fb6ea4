# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Connections that the kernel tracks, of the namespace the calling thread is in.

Where a connection's packets go is decided with its first one. When a published port changes, those that would
be decided otherwise today are forgotten, so that their next packet is a first one again; all others go on.
"""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import NamedTuple, Optional

from .._model.errors import KernelRefused
from .._model.link import Address
from .._model.rule import Dnat
from .netlink import NETLINK_NETFILTER, NLA_F_NESTED, Message, NetlinkError, Socket, attribute, attributes
from .rtnetlink import FAMILIES

# linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h
CT_GET, CT_DELETE = 0x101, 0x102
HEADER = struct.Struct("=BBH")
CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_ID, CTA_ZONE = 1, 2, 12, 18
CTA_TUPLE_IP, CTA_TUPLE_PROTO = 1, 2
CTA_IP = {4: (1, 2), 6: (3, 4)}  # source, destination
CTA_PROTO_NUM, CTA_PROTO_SRC_PORT, CTA_PROTO_DST_PORT = 1, 2, 3
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
DOMAIN = 53
# Up to so many ports it is faster to look for their bytes before anything is taken apart.
FEW = 16
# Where there were some, it is looked again after these seconds. An old target may still be about to answer; with nothing
# known of the connection, the kernel takes its answer for the beginning of one, to which then belongs what the client
# sends to the published port, if the target's port and the host's are the same. (An answer later than this, to a client
# that sends nothing meanwhile, still has that effect.)
PAUSES = (0.01, 0.03, 0.06)

Changes = Sequence[tuple[Dnat, Optional[Dnat]]]


class Flow(NamedTuple):
    """One connection: who sends where, and who really answers. `entry` is how the kernel is told which one is meant.

    Seen `backwards`, the answering side was the one that sent first.
    """

    source: Address
    source_port: int
    destination: Address
    port: int
    answerer: Address
    answer_port: int
    backwards: bool
    entry: bytes


def forget(changes: Changes, own: Collection[Address]) -> None:
    """Drop the connections that these changes, each (a rule as it was or is, and as it is now or None), decide otherwise.

    `own` are the host's addresses. Errors: KernelRefused.
    """
    groups: dict[tuple[str, int], list[tuple[Dnat, Optional[Dnat]]]] = {}
    for change in changes:
        groups.setdefault((change[0].protocol, change[0].version), []).append(change)
    socket = Socket(NETLINK_NETFILTER)
    try:
        for (protocol, version), some in groups.items():
            _forget(Connections(socket, (protocol,), version), some, frozenset(own))
    except NetlinkError as error:
        what, words = str(changes[0][0]), f"old connections cannot be forgotten: {error.refusal.text}"
        raise KernelRefused(what, words, "load the kernel module nf_conntrack_netlink", error.refusal.code) from error
    finally:
        socket.close()


def forget_questions(now: Mapping[Address, Optional[int]], own: Collection[Address]) -> None:
    """Drop the connections by which these ask the host for names and are answered by another port than they would be today.

    None: by no resolver of ours. `own` are the host's addresses. Where questions are asked from the same port again and again, the first one decided it for
    all that follow. Errors: KernelRefused.
    """
    socket = Socket(NETLINK_NETFILTER)
    try:
        for version in {address.version for address in now}:
            connections = Connections(socket, ("udp", "tcp"), version)
            flows = [flow for flow in connections.to([DOMAIN]) if flow.source in now and flow.destination in own]
            connections.drop([flow for flow in flows if flow.answer_port != (now[flow.source] or DOMAIN)])
    except NetlinkError as error:
        words = f"old questions for names cannot be forgotten: {error.refusal.text}"
        raise KernelRefused(
            "resolvers", words, "load the kernel module nf_conntrack_netlink", error.refusal.code
        ) from error
    finally:
        socket.close()


def _forget(connections: Connections, changes: Changes, own: frozenset[Address]) -> None:
    by_port: dict[int, list[tuple[Dnat, Optional[Dnat]]]] = {}
    for change in changes:
        for port in range(change[0].ports.first, change[0].ports.last + 1):
            by_port.setdefault(port, []).append(change)
    for pause in (*PAUSES, 0):
        flows = connections.to(by_port)
        old = [flow for flow in flows if any(is_old(flow, rule, now, own) for rule, now in by_port[flow.port])]
        connections.drop(old)
        if not old and pause == PAUSES[0]:
            return
        time.sleep(pause)


def is_old(flow: Flow, rule: Dnat, now: Optional[Dnat], own: frozenset[Address]) -> bool:
    """Whether the connection was for this publication and would go elsewhere if it began now.

    One that a process of the host itself answers is left to it, unless it is of UDP, where it never ends while
    packets come.
    """
    here = flow.destination in own or flow.destination.is_loopback
    translated = (flow.answerer, flow.answer_port) != (flow.destination, flow.port)
    if not (
        flow.destination == rule.host_ip or (rule.host_ip.is_unspecified and (here or flow.answerer == rule.to_ip))
    ):
        return False
    if not translated and rule.protocol != "udp":
        return False
    if flow.backwards and translated and flow.answerer != rule.to_ip:
        return False
    to = now.leads(flow.source, flow.destination, flow.port, own) if now else None
    return (to or (flow.destination, flow.port)) != (flow.answerer, flow.answer_port)


class Connections:
    """Those of some protocols and one family, in the namespace of a socket."""

    def __init__(self, socket: Socket, protocols: Collection[str], version: int) -> None:
        self._socket = socket
        self._protocols, self._version = {bytes((PROTOCOLS[protocol],)) for protocol in protocols}, version
        self._header = HEADER.pack(FAMILIES[version], 0, 0)

    def to(self, ports: Collection[int]) -> Iterator[Flow]:
        """The connections to these ports, from either end. 20,000 others cost 0.1 s, a third of it the kernel's.

        None at all cost 0.01 s: the kernel goes through its whole table, which all namespaces share.
        """
        wanted = {port.to_bytes(2, "big") for port in ports}
        for payload in self._socket.dump(Message(CT_GET, 0, self._header)):
            if len(wanted) <= FEW and not any(port in payload for port in wanted):
                continue
            seen = attributes(payload, HEADER.size)
            there, back = attributes(seen[CTA_TUPLE_ORIG]), attributes(seen[CTA_TUPLE_REPLY])
            ends = attributes(there[CTA_TUPLE_PROTO]), attributes(back[CTA_TUPLE_PROTO])
            if ends[0][CTA_PROTO_NUM] not in self._protocols:
                continue
            entry = b"".join(attribute(kind, seen[kind]) for kind in (CTA_ZONE, CTA_ID) if kind in seen)
            entry += attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, seen[CTA_TUPLE_ORIG])
            if ends[0][CTA_PROTO_DST_PORT] in wanted:
                yield Flow(*self._ends(there), *self._ends(back)[:2], False, entry)
            if ends[1][CTA_PROTO_DST_PORT] in wanted:
                yield Flow(*self._ends(back), *self._ends(there)[:2], True, entry)

    def drop(self, flows: Sequence[Flow]) -> None:
        """Those that ended by themselves meanwhile are fine. Errors: NetlinkError."""
        entries = dict.fromkeys(flow.entry for flow in flows)
        for refusal in self._socket.send([Message(CT_DELETE, 0, self._header + entry) for entry in entries]):
            if refusal and refusal.code != errno.ENOENT:
                raise NetlinkError(refusal)

    def _ends(self, side: dict[int, bytes]) -> tuple[Address, int, Address, int]:
        """Source, its port, destination, its port."""
        addresses, ports = attributes(side[CTA_TUPLE_IP]), attributes(side[CTA_TUPLE_PROTO])
        source, destination = (ip_address(addresses[kind]) for kind in CTA_IP[self._version])
        source_port, port = (int.from_bytes(ports[kind], "big") for kind in (CTA_PROTO_SRC_PORT, CTA_PROTO_DST_PORT))
        return source, source_port, destination, port
