# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Whether name servers on this host answer: a DNS question (RFC 1035) to each, all at once."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from .._model.service import NameSocket
from .sockettable import waiting

# Seconds. An answer takes less than a millisecond. A server that is silent is waited for a little, and longer while it has not
# read the question.
SHORTLY, PATIENCE = 0.2, 1.0
# A name without dots, of type A and class IN: no server of ours asks anybody else for it.
NAME = b"\x07docknet\x00" + struct.pack("!HH", 1, 1)
HEADER = struct.Struct("!HHHHHH")
RECURSION_DESIRED = 0x0100


def silent(servers: Mapping[str, Sequence[NameSocket]]) -> set[str]:
    """The servers, by name, that do not answer although their process is to blame.

    That is so where it has no socket any more, or leaves what came to it unread. Where nothing came to it, or its answer was
    lost, a filter of the host's is in the way, and to start it again would not help. An address that the host does not have
    (now) is not asked.
    """
    with contextlib.ExitStack() as stack:
        asked = {
            connection: (name, where)
            for name, places in servers.items()
            for where in places
            for connection in connected(where)
        }
        for connection in asked:
            stack.enter_context(connection)
        left = {name for name, _where in asked.values()}
        for patience in (SHORTLY, PATIENCE):
            open_ = {connection: one for connection, one in asked.items() if one[0] in left}
            heard = answering(open_, patience)
            left = to_blame({one for one in open_.values() if one[0] not in heard})
            if not left:
                break
        return left


def to_blame(asked: Collection[tuple[str, NameSocket]]) -> set[str]:
    """Those without a socket there, or with a question in it that they have not read."""
    if not asked:
        return set()
    unread = {(row.address, row.port): row.unread for row in waiting("udp")}
    return {name for name, where in asked if unread.get((where.address, where.port), 1)}


def connected(where: NameSocket) -> Iterator[socket.socket]:
    """A socket from the server's own address to it, so that nothing can leave the host."""
    family = socket.AF_INET if where.address.version == 4 else socket.AF_INET6
    with contextlib.suppress(OSError):
        found = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            found.bind((str(where.address), 0))
            found.connect((str(where.address), where.port))
        except OSError:
            found.close()
            return
        yield found


def answering(asked: Mapping[socket.socket, tuple[str, NameSocket]], patience: float) -> set[str]:
    """Those of the names that answer on one of their sockets."""
    identity = os.urandom(2)
    question = HEADER.pack(int.from_bytes(identity, "big"), RECURSION_DESIRED, 1, 0, 0, 0) + NAME
    found: set[str] = set()
    with selectors.DefaultSelector() as selector:
        for connection, (name, _where) in asked.items():
            with contextlib.suppress(OSError):
                connection.send(question)
                selector.register(connection, selectors.EVENT_READ, name)
        end = time.monotonic() + patience
        while pending(selector, found) and (left := end - time.monotonic()) > 0:
            for key, _events in selector.select(left):
                answer = b""
                with contextlib.suppress(OSError):  # refused: nobody listens there
                    answer = key.fileobj.recv(512)  # type: ignore[union-attr]
                if answer[:2] == identity:
                    found.add(key.data)
                selector.unregister(key.fileobj)
    return found


def pending(selector: selectors.BaseSelector, found: Collection[str]) -> bool:
    return any(key.data not in found for key in selector.get_map().values())
