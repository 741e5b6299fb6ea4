# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The two ends of a trial: who calls, and who listens where nobody else does."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from ipaddress import IPv6Address, ip_address
from typing import Any, Optional

from .._model.link import Address
from .._model.trial import ICMP, SCTP, TCP, UDP, Outcome, Spot, Trial

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
# Of Linux (linux/in.h); Python has not all of them on every platform.
PROTOCOLS = {TCP: 6, UDP: 17, SCTP: 132}
STREAMS = (TCP, SCTP)
ECHO = {4: (socket.SOCK_RAW, 1, 8, 0), 6: (socket.SOCK_RAW, 58, 128, 129)}
ICMPV6_FILTER = 1
# What we say of ourselves, before the number of the spot and the address that we saw.
HELLO = b"docknet"
# Closing with it leaves nothing behind, no TIME_WAIT that would keep a server from its port (socket(7)).
AT_ONCE = struct.pack("ii", 1, 0)
# There is no way: the sender's own routes, or a router on the way, said so.
NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EPERM, errno.EACCES}


class Listener:
    """A spot at which we listen. `trouble`: why we don't; `taken`: because somebody else does."""

    def __init__(self, spot: Spot, number: int) -> None:
        self.spot, self.number = spot, number
        self.port = spot.port
        self.socket: Optional[socket.socket] = None
        self.guests: list[socket.socket] = []
        self.heard: dict[bytes, Address] = {}
        self.trouble = ""
        self.taken = self.excused = False

    def open(self) -> None:
        """In the spot's namespace."""
        spot = self.spot
        try:
            self.socket = plug(spot.address.version, spot.protocol)
            if spot.protocol != UDP:
                # Against connections that died there a moment ago; who listens there is in the way all the same.
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((str(spot.address), spot.port))
            if spot.protocol != UDP:
                self.socket.listen(128)
            self.port = self.socket.getsockname()[1]
        except OSError as error:
            self.close()
            self.taken = error.errno == errno.EADDRINUSE
            if error.errno == errno.EADDRNOTAVAIL:
                self.trouble = f"no interface has {spot.address}"
            elif spot.protocol == SCTP and error.errno in (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT):
                self.trouble, self.excused = "this kernel has no SCTP", True
            else:
                self.trouble = f"nothing can listen at {spot.address} port {spot.port}: {error.strerror}"

    def ready(self, _write: bool) -> None:
        if self.socket is None:
            return
        with contextlib.suppress(OSError):
            if self.spot.protocol == UDP:
                token, peer = self.socket.recvfrom(64)
                self.heard[token] = address_of(peer)
                self.socket.sendto(self.greeting(peer), peer)
            else:
                guest, peer = self.socket.accept()
                guest.setblocking(False)
                self.guests.append(guest)
                guest.send(self.greeting(peer))

    def greeting(self, peer: Any) -> bytes:
        return b" ".join((HELLO, str(self.number).encode(), str(address_of(peer)).encode()))

    def close(self) -> None:
        for one in (*self.guests, self.socket):
            hang_up(one)
        self.socket, self.guests = None, []


class Call:
    """One trial while it goes on."""

    def __init__(self, trial: Trial, listener: Optional[Listener]) -> None:
        self.trial, self.listener = trial, listener
        self.socket: Optional[socket.socket] = None
        self.token = os.urandom(12)
        self.outcome: Optional[Outcome] = None
        self.note = ""
        self.connected = False
        self.next = 0.0

    @property
    def ours(self) -> bool:
        """Whether it is us that it should arrive at."""
        return self.listener is not None and self.listener.socket is not None

    @property
    def port(self) -> int:
        return self.trial.port or (self.listener.port if self.listener else 0)

    def settle(
        self, arrived: Optional[bool], note: str = "", seen: Optional[Address] = None, excused: bool = False
    ) -> None:
        if self.outcome is None:
            taken = self.listener is not None and self.listener.taken
            self.outcome = Outcome(arrived, self.port, seen, note, excused, taken)
        self.hang_up()

    def hang_up(self) -> None:
        hang_up(self.socket)
        self.socket = None

    def hopeless(self) -> bool:
        """Whether nothing can be told, because nobody can listen there."""
        if self.listener is not None and self.listener.trouble and not self.listener.taken:
            self.settle(None, self.listener.trouble, excused=self.listener.excused)
        return self.outcome is not None

    def open(self) -> None:
        """In the source's namespace."""
        version, protocol = self.trial.target.version, self.trial.protocol
        try:
            self.socket = plug(version, protocol)
        except OSError as error:
            self.settle(None, f"{self.trial.sender} has no socket for it: {error.strerror}")

    def start(self) -> None:
        """Send the first packet, or a further one. Errors that say "no way" are noted, and it is tried again while there is time."""
        if self.socket is None:
            return
        here = (str(self.trial.target), self.port if self.trial.protocol != ICMP else 0)
        try:
            if self.trial.protocol not in STREAMS:
                if not self.connected:
                    self.socket.connect(here)
                    self.connected = True
                self.socket.send(self.echo() if self.trial.protocol == ICMP else self.token)
            else:
                code = self.socket.connect_ex(here)
                if code not in (0, errno.EINPROGRESS):
                    raise OSError(code, os.strerror(code))
        except BlockingIOError:
            pass
        except OSError as error:
            self.failed(error)

    def echo(self) -> bytes:
        version = self.trial.target.version
        _sort, _protocol, request, _answer = ECHO[version]
        packet = struct.pack("!BBH", request, 0, 0) + self.token
        # The kernel fills in the checksum of ICMPv6 alone (RFC 3542, 3.1).
        return packet if version == 6 else packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]

    def failed(self, error: OSError) -> None:
        self.note = error.strerror or str(error)
        spot = self.trial.spot
        direct = spot is not None and spot.address == self.trial.target
        if error.errno == errno.ECONNREFUSED and direct and not self.ours and self.listener is not None:
            # Somebody has the port on another address of the target, whose kernel answers. By an address of the host it
            # would be the host that answers, for a port that leads nowhere.
            self.settle(True, "the port is closed there")
        elif not self.trial.works and error.errno in NO_WAY:
            self.settle(False, self.note)
        elif self.trial.protocol in STREAMS:
            self.hang_up()

    def ready(self, write: bool) -> None:
        if self.socket is None:
            return
        protocol = self.trial.protocol
        try:
            if protocol in STREAMS and not self.connected:
                code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    raise OSError(code, os.strerror(code))
                if write:
                    self.connected = True
                    if not self.ours and self.listener is not None:
                        self.settle(True)
                return
            self.answered(self.socket.recv(256))
        except BlockingIOError:
            pass
        except OSError as error:
            self.failed(error)

    def answered(self, answer: bytes) -> None:
        protocol = self.trial.protocol
        if protocol == ICMP:
            body = answer[(answer[0] & 15) * 4 :] if self.trial.target.version == 4 else answer
            if body[:1] == bytes([ECHO[self.trial.target.version][3]]) and body[4:] == self.token:
                self.settle(True)
            return
        words = answer.split(b" ")
        if len(words) != 3 or words[0] != HELLO:
            # A server of theirs. Where ours was meant, it did not arrive there.
            self.settle(not self.ours, "somebody else answered")
        elif self.listener is not None and words[1] != str(self.listener.number).encode():
            self.settle(False, "another place answered")
        else:
            self.settle(True, "", address_of((words[2].decode(),)))

    def finish(self) -> None:
        """Time is up."""
        if self.outcome is not None:
            return
        heard = self.listener.heard.get(self.token) if self.listener else None
        if heard is not None:
            # It got there, and only the answer was lost: for what must not arrive, that is too far.
            self.settle(not self.trial.works, "it arrived, and the answer did not", heard)
        elif self.trial.protocol == UDP and self.listener is not None and self.listener.taken:
            self.settle(None, "a server has the port and did not answer, which says nothing with UDP", excused=True)
        elif self.connected and self.trial.protocol in STREAMS:
            self.settle(not self.ours, "somebody took the call, and said nothing")
        else:
            self.settle(False, self.note or "no answer")


# -- sockets --------------------------------------------------------------------------------------------------


def plug(version: int, protocol: str) -> socket.socket:
    """A new socket that never makes one wait. Errors: OSError."""
    if protocol == ICMP:
        sort, number, _request, answer = ECHO[version]
        found = socket.socket(FAMILIES[version], sort | socket.SOCK_CLOEXEC, number)
        if version == 6:
            # RFC 3542, 3.2: one bit for each type that is not wanted.
            blocked = bytearray(b"\xff" * 32)
            struct.pack_into("=I", blocked, answer // 32 * 4, ~(1 << answer % 32) & 0xFFFFFFFF)
            found.setsockopt(socket.IPPROTO_ICMPV6, ICMPV6_FILTER, bytes(blocked))
    else:
        sort = socket.SOCK_DGRAM if protocol == UDP else socket.SOCK_STREAM
        found = socket.socket(FAMILIES[version], sort | socket.SOCK_CLOEXEC, PROTOCOLS[protocol])
        if version == 6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    found.setblocking(False)
    return found


def hang_up(one: Optional[socket.socket]) -> None:
    if one is not None:
        with contextlib.suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        one.close()


def address_of(peer: Any) -> Address:
    found = ip_address(peer[0].partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def checksum(packet: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
