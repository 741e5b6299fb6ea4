# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A network namespace, and how one is named.

A reference is one string, or None for the host's own namespace:
`web` (named), `/proc/4242/ns/net` (a path), `pid:4242`, `docker:web`, `podman:web`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Optional

NetnsRef = Optional[str]


@dataclass(frozen=True)
class Namespace:
    """A named namespace. `owner` None: nobody's. `marked`: the readable mark is on its loopback. `up`: that is up.
    `adopted`: it was there before its owner had it.

    `same_as`, wanted: the namespace that this is a second name of, named as any is (`web`, `docker:web`); seen: the
    first name of the same namespace, "" where that is not among the named ones, None for a first name. `inode`: what
    all names of one namespace have in common; 0 where it is not known.
    """

    name: str
    owner: Optional[str] = None
    marked: bool = True
    up: bool = True
    same_as: Optional[str] = None
    adopted: bool = False
    inode: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"netns {self.name}"


class Sysctl(NamedTuple):
    """One kernel setting of one namespace.

    `path` is below /proc/sys, split at its dots: ("net", "ipv4", "ip_forward"), so that an
    interface name with a dot in it stays one part. `value` is text as the kernel prints it, blanks as one space.
    """

    netns: NetnsRef
    path: tuple[str, ...]
    value: str

    def __str__(self) -> str:
        return f"sysctl {'.'.join(part.replace('.', '/') for part in self.path)}{place(self.netns)}"


def place(netns: NetnsRef) -> str:
    """Where something is, for a sentence: " in web", or nothing for the host."""
    return f" in {netns}" if netns else ""
