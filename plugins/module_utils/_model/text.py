# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A small file that is wholly ours: a container's resolv.conf; the host's, where it has none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, Optional

from .owner import PREFIX, SEPARATOR
from .words import text_of

MARK = re.compile(rf"# {PREFIX}{SEPARATOR}([A-Za-z0-9_.-]+): ")


class TextKey(NamedTuple):
    """Which file: `name` ("resolv.conf") below /etc/netns/NETNS/, or of the host, where `name` is a path."""

    netns: Optional[str]
    name: str

    @property
    def path(self) -> str:
        if self.netns is None:
            return self.name
        return f"/etc/netns/{self.netns}/{self.name}"


@dataclass(frozen=True)
class TextFile:
    """Such a file. Its first line is a mark: "# docknet@OWNER: ...". `lines` are the others."""

    key: TextKey
    owner: Optional[str] = None
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"file {self.key.path}"

    @property
    def content(self) -> str:
        first = f"# {PREFIX}{SEPARATOR}{self.owner}: this file is written anew whenever its topology changes"
        return text_of(str(self), (first, *self.lines))


def stand_in(path: str, owner: str) -> TextFile:
    """An empty resolv.conf for a host without one: ip-netns(8) binds a container's over a file that is there, and over no other.

    To the host it means what no file means (resolv.conf(5)).
    """
    return TextFile(
        TextKey(None, path), owner, ("# It says nothing, and is here because containers' files are mounted over it.",)
    )


def read(key: TextKey, content: bytes) -> TextFile:
    """What a file says. One that does not begin with a mark has no owner, and all its lines count."""
    first, *others = content.decode(errors="backslashreplace").split("\n")
    mark = MARK.match(first)
    lines = others if mark else [first, *others]
    return TextFile(key, mark[1] if mark else None, tuple(lines[:-1] if lines and not lines[-1] else lines))
