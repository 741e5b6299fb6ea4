# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Text from outside and text for other programs: addresses without a zone, and lines that cannot become two."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_interface, ip_network

from .errors import InvalidRequest
from .link import Address, Interface, Network

# What ends a line, or a text, for some program; a tab does not.
CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


class ZoneError(ValueError):
    """The text has a zone (RFC 4007, section 11). The module ipaddress accepts any characters in one, newlines included."""


def without_zone(text: str) -> str:
    """Errors: ZoneError."""
    if "%" in text:
        raise ZoneError(f"{text!r} has a zone")
    return text


def read_address(text: str) -> Address:
    """Errors: ValueError."""
    return ip_address(without_zone(text))


def read_interface(text: str) -> Interface:
    """Errors: ValueError."""
    return ip_interface(without_zone(text))


def read_network(text: str) -> Network:
    """Errors: ValueError, also for bits beyond the prefix."""
    return ip_network(without_zone(text))


def text_of(what: str, lines: Iterable[str]) -> str:
    """Lines for another program, each with its end. Every text that one reads is made here.

    Errors: InvalidRequest, where a line holds a control character and would be read as two.
    """
    whole = list(lines)
    text = "".join(f"{line}\n" for line in whole)
    if text.count("\n") != len(whole) or CONTROL.search(text.replace("\n", "")):
        line = next(line for line in whole if CONTROL.search(line))
        raise InvalidRequest(what, f"{line!r} holds a control character", "remove it")
    return text
