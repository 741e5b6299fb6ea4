# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""WireGuard keys: which there are, and making one.

A private key is random bytes. Its public one is the kernel's to make: it is given to an interface in a namespace that
nobody sees, and asked for it back. So there is no arithmetic of ours in it, and no program's pipe.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from .._model.errors import DocknetError, KernelRefused
from .._model.link import Link, LinkKey
from .._model.plan import Operation, Question, World
from .._model.wireguard import Wireguard
from .._model.wireguard_key import PublicKey, WireguardKey
from . import genetlink, keyfile, namespaces, state, wireguard
from . import rtnetlink as rt
from .netlink import NetlinkError, Socket
from .places import Done, Places

LINK = Link(LinkKey(None, "wg0"), data=Wireguard())


def look(_places: Places, question: Question, world: World) -> None:
    """All of them: a port that one has, no other may choose."""
    for name in keyfile.names() if question.keys else ():
        found = keyfile.public(name)
        if found:
            world.keys[name] = WireguardKey(name, found)


def change(_places: Places, operations: Sequence[Operation]) -> Done:
    for operation in operations:
        value: WireguardKey = operation.value
        try:
            if operation.action == "delete":
                state.take(keyfile.path_of(value.name))
            else:
                _make(operation.what, value)
            yield operation, None
        except DocknetError as error:
            yield operation, error
        except OSError as error:
            why = f"{keyfile.path_of(value.name)} cannot be written: {error.strerror}"
            yield operation, KernelRefused(operation.what, why, code=error.errno)


def _make(what: str, value: WireguardKey) -> None:
    """A new key, or the one there is with another port."""
    there = keyfile.public(value.name)
    if there and there.text != value.unlike:
        private = keyfile.private(value.name)
    else:
        private = clamped(os.urandom(keyfile.LENGTH))
    keyfile.write(value.name, private, PublicKey(public_of(what, private), value.public.port))


def clamped(key: bytes) -> bytes:
    """As X25519 counts them (RFC 7748 section 5), so that what is kept is what the kernel uses."""
    return bytes((key[0] & 248,)) + key[1:-1] + bytes((key[-1] & 127 | 64,))


def public_of(what: str, private: bytes) -> str:
    """Errors: Unsupported where the kernel has no WireGuard, KernelRefused."""
    try:
        with (
            namespaces.apart(),
            contextlib.closing(Socket()) as links,
            contextlib.closing(Socket(genetlink.NETLINK_GENERIC)) as socket,
        ):
            here = wireguard.found(what, socket)
            no = (
                links.send([rt.new_link(LINK, b"")])[0]
                or here.socket.send([wireguard.give(here, LINK.key, private)])[0]
            )
            seen = None if no else wireguard.seen(here, LINK.key)
    except NetlinkError as error:
        raise KernelRefused(what, f"no key can be made: {error.refusal.text}", code=error.refusal.code) from error
    if no or seen is None:
        raise KernelRefused(what, f"no key can be made: {no.text if no else 'the kernel keeps none'}")
    return seen.key
