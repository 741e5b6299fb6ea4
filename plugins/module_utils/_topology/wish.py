# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The words that every object's options share -> what the engine is told beside the value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from .._model.namespace import place
from .._model.plan import Wanted
from . import normalise


def label(module: str, name: str, netns: Optional[str]) -> str:
    """The object in the user's words, for sentences: "veth_pair eth0 in web". Made before anything is known to be valid."""
    return f"{module} {one_line(name)}{place(netns and one_line(netns))}"


def one_line(text: str) -> str:
    return text[:60] if text.isprintable() else ascii(text[:60])


def wish(what: str, params: Mapping[str, Any]) -> Callable[..., Wanted]:
    """A maker of Wanted for one object of the user's: `wish(what, params)(value)`."""
    common = {
        "what": what,
        "owner": normalise.owner(what, params["owner"]),
        "present": params["state"] == "present",
        "adopt": bool(params["adopt"]),
        "recreate": bool(params["recreate"]),
    }
    return lambda value, **more: Wanted(value, **{**common, **more})
