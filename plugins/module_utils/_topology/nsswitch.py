# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A container's /etc/nsswitch.conf, where the host's keeps programs from asking the container's name servers.

Some name services of glibc ask a daemon of the host through a socket in the file system, from whatever network namespace:
nss-resolve (systemd-resolved), nss-mymachines, nss-mdns (avahi). The daemon knows the host's names and no container's, and an
action such as [!UNAVAIL=return] ends the search before dns. See nsswitch.conf(5), nss-resolve(8).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Optional

from .._model.text import TextFile, TextKey
from .container_files import Book, own_files
from .site import Site

FILE = "nsswitch.conf"
# Services that ask a daemon of the host; nss-mdns does so for names below .local.
DAEMONS = re.compile(r"resolve|mymachines|mdns.*")
MULTICAST = ".local"
# A service with the actions that follow it.
WORD = re.compile(r"([^\s\[\]]+)((?:\s*\[[^\]]*\])*)")


def plan(site: Site, book: Book, foreign: Collection[TextKey]) -> tuple[list[TextFile], list[str]]:
    """The files of this host's containers, and warnings. `foreign`: files of others, which stay as they are."""
    lines = altered(site.around.nsswitch or (), any_below(book, MULTICAST))
    files: list[TextFile] = []
    warnings: list[str] = []
    for one in own_files(site) if lines else ():
        key = TextKey(one.netns or "", FILE)
        if key in foreign:
            why = f"{key.path} is not managed by docknet, and the host's lookup order ends before dns"
            warnings.append(f"{one.what}: {why}; let its hosts line say: files dns")
        else:
            files.append(TextFile(key, site.owner, lines))
    return files, warnings


def any_below(book: Book, domain: str) -> bool:
    return any(
        name.lower().endswith(domain) for entries in book.values() for _address, names in entries for name in names
    )


def altered(lines: Sequence[str], multicast: bool) -> tuple[str, ...]:
    """The file with another hosts line; nothing where the host's line lets programs ask the container's name servers."""
    found = [hosts_line(line) for line in lines]
    if not any(one is not None and hides(one, multicast) for one in found):
        return ()
    return tuple(line if one is None else f"hosts: {' '.join(without_daemons(one))}" for line, one in zip(lines, found))


def hosts_line(line: str) -> Optional[list[tuple[str, str]]]:
    """(service, its actions) in order; None for another line."""
    database, colon, rest = line.partition("#")[0].partition(":")
    return WORD.findall(rest) if colon and database.strip() == "hosts" else None


def hides(words: Sequence[tuple[str, str]], multicast: bool) -> bool:
    """Whether a daemon of the host is asked before dns, or in its stead."""
    services = [service for service, _actions in words]
    before = services[: services.index("dns")] if "dns" in services else services
    return any(one == "resolve" or (multicast and one.startswith("mdns")) for one in before)


def without_daemons(words: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The hosts file first, as in Docker's images; dns at the end where it was missing."""
    kept = [(service, actions) for service, actions in words if not DAEMONS.fullmatch(service)]
    services = [service for service, _actions in kept]
    if "files" in services:
        kept.insert(0, kept.pop(services.index("files")))
    else:
        kept.insert(0, ("files", ""))
    if "dns" not in services:
        kept.append(("dns", ""))
    yield from (f"{service}{' ' if actions else ''}{' '.join(actions.split())}" for service, actions in kept)
