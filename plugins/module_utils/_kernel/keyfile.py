# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The files of WireGuard keys, /var/lib/docknet/NAME.key: root's alone, each whole at every moment."""

from __future__ import annotations

import base64
import json
import os
import re
from typing import Any, Optional

from .._model.errors import KernelRefused
from .._model.statefile import DIRECTORY, DamagedState
from .._model.wireguard_key import PUBLIC, PublicKey
from . import files, state

LENGTH = 32
# As owners are named: see _topology/normalise.py.
FILE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})\.key")


def path_of(name: str) -> str:
    return f"{DIRECTORY}/{name}.key"


def names() -> list[str]:
    """Whose there are. Errors: KernelRefused."""
    try:
        return sorted(found[1] for found in map(FILE.fullmatch, files.content(DIRECTORY, DIRECTORY)) if found)
    except OSError as error:
        raise KernelRefused(DIRECTORY, f"it cannot be read: {error.strerror}", code=error.errno) from error


def public(name: str) -> Optional[PublicKey]:
    """None where there is no file. Errors: DamagedState, KernelRefused, Conflict."""
    words = _read(name)
    return None if words is None else PublicKey(words["public_key"], words["port"])


def private(name: str) -> bytes:
    """For the kernel alone. Errors: as `public`, and KernelRefused where there is none."""
    words = _read(name)
    if words is None:
        raise KernelRefused(
            f"topology {name}", f"{path_of(name)} is gone", "run role topology on all of its hosts again"
        )
    return base64.b64decode(words["private_key"])


def write(name: str, private_key: bytes, key: PublicKey) -> None:
    """Errors: OSError."""
    words = {"private_key": base64.b64encode(private_key).decode(), "public_key": key.text, "port": key.port}
    state.put(path_of(name), f"{json.dumps(words, indent=1)}\n".encode())


def _read(name: str) -> Optional[dict[str, Any]]:
    what, path = f"topology {name}", path_of(name)
    try:
        file = files.open_plain(what, path, os.O_RDONLY)
        if file is None:
            return None
        with files.descriptor(file):
            content = files.read(file)
    except OSError as error:
        raise KernelRefused(what, f"{path} cannot be read: {error.strerror}", code=error.errno) from error
    words = _decode(content)
    if words is None:
        way_out = "remove the file, and run role topology on all of its hosts: it makes a new key"
        # Without the decoder's own words, which could be the key's.
        raise DamagedState(what, f"{path} is damaged", way_out)
    return words


def _decode(content: bytes) -> Optional[dict[str, Any]]:
    """None for what is no key."""
    try:
        words: dict[str, Any] = json.loads(content)
        whole = len(base64.b64decode(words["private_key"], validate=True)) == LENGTH
        whole = whole and bool(PUBLIC.fullmatch(words["public_key"])) and 0 < words["port"] < 1 << 16
        return words if whole else None
    except (ValueError, KeyError, TypeError):
        return None
