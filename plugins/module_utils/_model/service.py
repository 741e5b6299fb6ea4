# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A packaged program that runs for a network: a name server, a DHCP client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Optional

from .link import Address
from .namespace import NetnsRef, place


class ServiceFile(NamedTuple):
    """A file of a service. `path` is its name in the service's directory. `live`: the program reads it again on SIGHUP."""

    path: str
    content: str
    live: bool = False


class NameSocket(NamedTuple):
    """Where a name server listens, over UDP."""

    address: Address
    port: int


@dataclass(frozen=True)
class Service:
    """A program to be kept running, identified by its name.

    `command`: the program and its arguments; `{dir}` in them, and in files, is the service's own directory, in which it is
    started. It must stay in the foreground. `package`: what to install where it is missing. Wanted with other arguments, or
    with other files that are not `live`, it is started again; with other live files it gets SIGHUP. Seen, `running` says
    whether it runs, in its namespace; a file that is not as it was when the program was started or told says CHANGED.
    `answers_at`: where a name server in the host's namespace answers questions. Seen, `trouble` says why it is of no use although
    it runs.
    """

    name: str
    owner: Optional[str] = None
    netns: NetnsRef = None
    command: tuple[str, ...] = ()
    files: tuple[ServiceFile, ...] = ()
    package: str = ""
    running: bool = True
    answers_at: tuple[NameSocket, ...] = ()
    trouble: Optional[str] = None

    def __str__(self) -> str:
        return f"service {self.name}{place(self.netns)}"


# What a file is seen to say that the program has not read as it is. No text is that.
CHANGED = "\0"


class ServiceChange(NamedTuple):
    """A service that comes, changes or goes. `start`: it is started (again); else only told to read its live files."""

    service: Service
    start: bool = True

    def __str__(self) -> str:
        return str(self.service)
