# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Names in a hosts file: the values, and how they are written.

What is ours in a file, and nothing else of it is:

    # BEGIN docknet@shop                       one block for each owner, where it was once put: at the end
    172.17.0.3<TAB>web www
    # END docknet@shop

    # docknet: ...                             HEADER, the beginning of a file that we made
    # docknet: ...                             JOINT, before a block that had to end somebody's last line first

HEADER and JOINT go with the last block that needs them, so a file that lost its blocks is what it was to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Optional, Union

from .link import Address, LinkKey
from .namespace import NetnsRef
from .owner import PREFIX, SEPARATOR
from .words import read_address, text_of

# The same names as in a container of Docker's (moby, daemon/libnetwork/etchosts/etchosts.go).
LOCALHOST = (
    ("127.0.0.1", ("localhost",)),
    ("::1", ("localhost", "ip6-localhost", "ip6-loopback")),
    ("fe00::0", ("ip6-localnet",)),
    ("ff00::0", ("ip6-mcastprefix",)),
    ("ff02::1", ("ip6-allnodes",)),
    ("ff02::2", ("ip6-allrouters",)),
)
HEADER = b"# docknet: this file was made for the blocks below, and goes with the last of them\n" + b"".join(
    f"{address}\t{' '.join(names)}\n".encode() for address, names in LOCALHOST
)
JOINT = b"# docknet: the line above had no end before the block below was added\n"
# Blanks around a mark, and an editor's carriage return, leave it a mark.
MARK = re.compile(rb"^[ \t]*# (BEGIN|END) %b([A-Za-z0-9_.-]+)[ \t\r]*$" % (PREFIX + SEPARATOR).encode(), re.MULTILINE)


class HostsKey(NamedTuple):
    """Which hosts file: that of a container, or the one at a path."""

    container: NetnsRef
    path: Optional[str] = None

    def __str__(self) -> str:
        return str(self.path or self.container)


class HostsLink(NamedTuple):
    """Names for one target: an address, or an interface with the addresses that it has."""

    to: Union[Address, LinkKey]
    names: tuple[str, ...]


class HostsLine(NamedTuple):
    """One line of a block. `address` None: not known before its target is made."""

    address: Optional[Address]
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.address or 'unknown'}\t{' '.join(self.names)}"


# A line of a block as it is found: what it says, or its text where it says nothing that we would write.
Line = Union[HostsLine, str]


@dataclass(frozen=True)
class HostsBlock:
    """The block of one owner in one hosts file. Without `links` there is to be none."""

    key: HostsKey
    owner: str
    links: tuple[HostsLink, ...] = ()

    def __str__(self) -> str:
        return f"hosts block {self.owner} in {self.key}"


@dataclass(frozen=True)
class HostsFile:
    """A hosts file as seen. `content` None: it does not exist, and can be created; but not where the host's own would be (`host_own`)."""

    path: str
    content: Optional[bytes]
    host_own: bool = False


class Span(NamedTuple):
    """Where a block is in its file, marks included, and what it says."""

    start: int
    end: int
    lines: tuple[Line, ...]


class Damaged(ValueError):
    """The marks of an owner are not one BEGIN with its END next. `lines` are theirs, counted from 1."""

    def __init__(self, lines: tuple[int, ...]) -> None:
        super().__init__()
        self.lines = lines


def find(content: bytes, owner: str) -> Optional[Span]:
    """The owner's block, or None. Errors: Damaged."""
    marks = list(MARK.finditer(content))
    own = [number for number, mark in enumerate(marks) if mark[2].decode() == owner]
    if not own:
        return None
    first, last = marks[own[0]], marks[own[-1]]
    if own != [own[0], own[0] + 1] or (first[1], last[1]) != (b"BEGIN", b"END"):
        raise Damaged(tuple(1 + content.count(b"\n", 0, marks[number].start()) for number in own))
    inner = content[first.end() + 1 : last.start()].splitlines()
    return Span(first.start(), min(last.end() + 1, len(content)), tuple(map(read, inner)))


def read(line: bytes) -> Line:
    """What a line says, however it is spelt."""
    text = line.decode(errors="backslashreplace")
    address, *names = text.split() or [""]
    try:
        return HostsLine(read_address(address), tuple(names))
    except ValueError:
        return text


def put(content: Optional[bytes], owner: str, lines: Iterable[Line]) -> bytes:
    """The file with the owner's block saying `lines`. Errors: Damaged."""
    name = PREFIX + SEPARATOR + owner
    block = text_of(f"hosts block {owner}", (f"# BEGIN {name}", *map(str, lines), f"# END {name}")).encode()
    if content is None:
        return HEADER + block
    seen = find(content, owner)
    if seen:
        return content[: seen.start] + block + content[seen.end :]
    return content + (b"\n" + JOINT if content and not content.endswith(b"\n") else b"") + block


def take(content: bytes, owner: str) -> Optional[bytes]:
    """The file without the owner's block, as it was before; None where it was made for blocks. Errors: Damaged."""
    seen = find(content, owner)
    above, below = (content[: seen.start], content[seen.end :]) if seen else (content, b"")
    following = MARK.match(below)
    if seen and above.endswith(b"\n" + JOINT) and not (following and following[1] == b"BEGIN"):
        # Between two lines of somebody else the line's end has to stay.
        above = above[: -len(JOINT) - (0 if below else 1)]
    left = above + below
    return None if left == HEADER else left


class HostsChange(NamedTuple):
    """What a block is to say from now on; without `lines` it goes. `path` is where its file is."""

    block: HostsBlock
    path: str
    lines: tuple[HostsLine, ...]

    def __str__(self) -> str:
        return str(self.block)

    def of(self, content: Optional[bytes]) -> Optional[bytes]:
        """The file after the change; None where there is none. Errors: Damaged."""
        if self.lines:
            return put(content, self.block.owner, self.lines)
        return None if content is None else take(content, self.block.owner)
