# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Netlink messages over one socket: encode, send in batches, read every answer, dump.

The codec is ours, and small, because it is what a run spends its time in: per namespace, three dumps through
pyroute2's `IPRoute` cost several times what these do, and its import 0.13 s of every task (tests/bench/codec.py).
Layouts: linux/netlink.h, linux/rtnetlink.h. Numbers are host-endian, as the kernel wants them.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Container, Iterator, Sequence
from typing import NamedTuple, Optional

HEADER = struct.Struct("=IHHII")
ATTRIBUTE = struct.Struct("=HH")
U32 = struct.Struct("=I")
_split = ATTRIBUTE.unpack_from

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x1, 0x4, 0x10, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800
NLM_F_ACK_TLVS, NLM_F_CAPPED = 0x200, 0x100
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLMSGERR_ATTR_MSG = 1
NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF
ANY = range(NLA_TYPE_MASK + 1)
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK = 270, 10, 11, 12
NETLINK_NETFILTER = 12

DUMP_TRIES = 5
# Seconds. The kernel answers rtnetlink in the system call itself; only a kernel in trouble lets us wait. It counts them
# itself, since Python's own timeout costs a poll before every call.
ANSWER_TIMEOUT = 30
# struct timeval. Where a machine of 32 bits counts seconds in 64, the option has another number.
TIMEVAL = struct.Struct("@ll" if socket.SO_RCVTIMEO == 20 else "=qq")
# One refusal takes about 1 KiB of the receive buffer as the kernel accounts it.
BATCH_MESSAGES = 128
RECEIVE_BUFFER = 4 << 20
# A message of a dump has at most 32 KiB; a single answer can be larger (a card with many virtual functions).
RECEIVE_SIZE = 1 << 18


class _Buffer(threading.local):
    """Each thread's own: what is received is copied out of it at once, but not before another thread may run.

    To allocate this anew for each answer takes longer than the answer.
    """

    def __init__(self) -> None:
        self.bytes = bytearray(RECEIVE_SIZE)


_BUFFER = _Buffer()


class Message(NamedTuple):
    """A request before it has a sequence number: `flags` beside NLM_F_REQUEST and what the way of asking adds."""

    type: int
    flags: int
    payload: bytes


class Refusal(NamedTuple):
    """The kernel's no to one request: errno (positive) and the kernel's own words, if it had any."""

    code: int
    text: str


class NetlinkError(Exception):
    """A request that is asked for its answer alone (a dump, a single get) was refused."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.text)


def attribute(kind: int, data: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return ATTRIBUTE.pack(len(data) + 4, kind) + data + b"\0" * (-len(data) % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    return attribute(kind | NLA_F_NESTED, b"".join(parts))


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def u8(kind: int, value: int) -> bytes:
    return attribute(kind, bytes((value,)))


def u16(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=H", value))


def u32(kind: int, value: int) -> bytes:
    return attribute(kind, U32.pack(value))


def attributes(data: bytes, start: int = 0, wanted: Container[int] = ANY) -> dict[int, bytes]:
    """The attributes in `data` from `start` on, by type; of several of one type the last.

    A link has forty, of which few are `wanted`, and a look reads thousands of links: so this loop is its own.
    """
    found = {}
    end = len(data) - 4
    while start <= end:
        length, kind = _split(data, start)
        if length < 4:
            break
        kind &= NLA_TYPE_MASK
        if kind in wanted:
            found[kind] = data[start + 4 : start + length]
        start += (length + 3) & ~3
    return found


def each_attribute(data: bytes, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """The attributes in order, also where one type comes several times (alternative names)."""
    end = len(data) - 4
    while start <= end:
        length, kind = _split(data, start)
        if length < 4:
            return
        yield kind & NLA_TYPE_MASK, data[start + 4 : start + length]
        start += (length + 3) & ~3


def as_text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("utf-8", "backslashreplace")


def as_u16(data: bytes) -> int:
    return int(struct.unpack_from("=H", data)[0])


def as_u32(data: bytes) -> int:
    return int(U32.unpack_from(data)[0])


class Socket:
    """A netlink socket of the namespace the calling thread is in when it is opened; it keeps that namespace for life."""

    def __init__(self, family: int = socket.NETLINK_ROUTE) -> None:
        """Errors: OSError."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
        try:
            for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK):
                self._socket.setsockopt(SOL_NETLINK, option, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), RECEIVE_BUFFER)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, TIMEVAL.pack(ANSWER_TIMEOUT, 0))
        except OSError:
            self._socket.close()
            raise
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def send(self, messages: Sequence[Message]) -> list[Optional[Refusal]]:
        """Ask for everything, in as few system calls as the receive buffer allows.

        Returns one entry for each message, in order: None where the kernel did it. A batch is no transaction:
        the kernel goes on after a message it refuses.
        """
        answers: list[Optional[Refusal]] = []
        for start in range(0, len(messages), BATCH_MESSAGES):
            answers += self._send(messages[start : start + BATCH_MESSAGES])
        return answers

    def _send(self, messages: Sequence[Message]) -> list[Optional[Refusal]]:
        """The kernel takes them in their order: the last one's acknowledgement says that all are through, beside those refused."""
        first, last = self._sequence + 1, len(messages) - 1
        self._transmit(
            b"".join(
                self._pack(message, NLM_F_REQUEST | (NLM_F_ACK if at == last else 0))
                for at, message in enumerate(messages)
            )
        )
        answers: list[Optional[Refusal]] = [None] * len(messages)
        while True:
            for kind, flags, sequence, payload in self._receive():
                if kind == NLMSG_ERROR and sequence >= first:
                    answers[sequence - first] = refusal(flags, payload)
                    if sequence == self._sequence:
                        return answers

    def get(self, message: Message) -> bytes:
        """The one answer to a request that is no dump, without its header; NetlinkError when refused."""
        self._transmit(self._pack(message, NLM_F_REQUEST))
        while True:
            for kind, flags, sequence, payload in self._receive():
                if sequence != self._sequence:
                    continue
                no = refusal(flags, payload) if kind == NLMSG_ERROR else None
                if no:
                    raise NetlinkError(no)
                return payload

    def dump(self, message: Message, again: Optional[Callable[[bytes], Message]] = None) -> list[bytes]:
        """All objects of one sort, without their headers.

        A dump that the kernel marks as interrupted (something changed under it) may lack an object, which would be
        taken for absent, so it is repeated. On a machine that never rests, `again` helps: it makes the message that
        asks for one object alone. All that any try saw and that is still there is then the answer; without `again`
        that is an error.
        """
        seen: dict[Message, bytes] = {}
        for attempt in range(DUMP_TRIES):
            found, interrupted = self._dump(message)
            if not interrupted:
                return found
            if again:
                seen.update((again(payload), payload) for payload in found)
            time.sleep(0.002 * 2**attempt)
        if again is None:
            raise NetlinkError(Refusal(errno.EINTR, f"the list changed while it was read, {DUMP_TRIES} times in a row"))
        missed = seen.keys() - {again(payload) for payload in found}
        return found + [payload for one in sorted(missed) for payload in self._if_there(one)]

    def _if_there(self, message: Message) -> list[bytes]:
        try:
            return [self.get(message)]
        except NetlinkError:
            return []

    def _dump(self, message: Message) -> tuple[list[bytes], bool]:
        """What one try saw, and whether it may lack something."""
        self._transmit(self._pack(message, NLM_F_REQUEST | NLM_F_DUMP))
        found: list[bytes] = []
        interrupted = False
        while True:
            try:
                answers = self._receive()
            except NetlinkError as error:
                if error.refusal.code != errno.ENOBUFS:
                    raise
                return found, True
            for kind, flags, sequence, payload in answers:
                if sequence != self._sequence:
                    continue
                interrupted |= bool(flags & NLM_F_DUMP_INTR)
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    no = refusal(flags, payload, kind == NLMSG_DONE)
                    if no:
                        raise NetlinkError(no)
                    return found, interrupted
                found.append(payload)

    def _pack(self, message: Message, flags: int) -> bytes:
        self._sequence += 1
        length = HEADER.size + len(message.payload)
        return (
            HEADER.pack(length, message.type, message.flags | flags, self._sequence, 0)
            + message.payload
            + b"\0" * (-length % 4)
        )

    def _transmit(self, data: bytes) -> None:
        """Errors: NetlinkError."""
        try:
            self._socket.send(data)
        except OSError as error:
            raise NetlinkError(Refusal(error.errno or 0, f"the request cannot be sent ({error.strerror})")) from error

    def _receive(self) -> list[tuple[int, int, int, bytes]]:
        """(type, flags, sequence number, what follows the header) of each message that comes next."""
        try:
            size = self._socket.recv_into(_BUFFER.bytes, RECEIVE_SIZE)
        except BlockingIOError:
            raise NetlinkError(
                Refusal(errno.ETIMEDOUT, f"the kernel did not answer within {ANSWER_TIMEOUT} s")
            ) from None
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise NetlinkError(
                    Refusal(error.errno or 0, f"the answer cannot be received ({error.strerror})")
                ) from error
            self._drain()
            raise NetlinkError(Refusal(errno.ENOBUFS, "the kernel's answers did not fit into our buffer")) from None
        data = bytes(memoryview(_BUFFER.bytes)[:size])
        found, start = [], 0
        while start < size:
            rest = size - start
            length, kind, flags, sequence, _port = HEADER.unpack_from(data, start) if rest >= HEADER.size else (0,) * 5
            if not HEADER.size <= length <= rest:
                raise NetlinkError(Refusal(errno.EBADMSG, "the kernel's answer is cut off"))
            found.append((kind, flags, sequence, data[start + HEADER.size : start + length]))
            start += (length + 3) & ~3
        return found

    def _drain(self) -> None:
        """Throw away what is still to come of answers that are no use without the ones lost."""
        while True:
            try:
                self._socket.recv_into(_BUFFER.bytes, RECEIVE_SIZE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise NetlinkError(
                        Refusal(error.errno or 0, f"the answer cannot be received ({error.strerror})")
                    ) from error


def refusal(flags: int, payload: bytes, done: bool = False) -> Optional[Refusal]:
    """What an NLMSG_ERROR, or the NLMSG_DONE of a dump, says: None where all is well. With the kernel's own words."""
    code = -struct.unpack_from("=i", payload.ljust(4, b"\0"))[0]
    if not code:
        return None
    words = os.strerror(code)
    if flags & NLM_F_ACK_TLVS:
        # struct nlmsgerr: the error, then the refused request's header (alone, because of NETLINK_CAP_ACK).
        start = 4 if done else 4 + HEADER.size
        if not done and not flags & NLM_F_CAPPED:
            start = 4 + ((U32.unpack_from(payload, 4)[0] + 3) & ~3)
        said = attributes(payload, start).get(NLMSGERR_ATTR_MSG)
        if said:
            words = as_text(said).rstrip(".")
    return Refusal(code, words)
