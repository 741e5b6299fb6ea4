# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A topology's document -> Document. Pure: what can be known from the document alone is checked here, and all errors are told at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._model.topology import DEFAULT_NETWORK, RESERVED_OWNER, Document, NetworkSpec
from . import normalise
from .document_checks import check
from .document_container import containers
from .document_network import networks
from .document_words import TOP_IDLE, TOP_STRANGE
from .schema import Findings, Idle, Node

KEYS = ("name", "networks", "containers", "host_names")


def read(raw: Any) -> Document:
    """Errors: InvalidRequest, or Several of them; each begins with its path in the document."""
    findings = Findings()
    root = Node(raw, "", findings)
    if not isinstance(raw, Mapping):
        root.mismatch("a mapping")
        findings.settle()
    root.check(KEYS, strange=TOP_STRANGE, idle=Idle(TOP_IDLE, "document", ""))
    name = owner(root["name"])
    known = networks(root["networks"])
    implied = {DEFAULT_NETWORK: NetworkSpec(DEFAULT_NETWORK)}
    found = containers(root["containers"], {**implied, **known})
    used = {one.network for spec, _places in found.values() for one in spec.endpoints}
    if DEFAULT_NETWORK in used:
        known = {**known, **{key: one for key, one in implied.items() if key not in known}}
    specs = {key: spec for key, (spec, _places) in found.items()}
    host_names = bool(root["host_names"].flag())
    check(root, known, found)
    findings.settle()
    return Document(name, known, specs, host_names, findings.warnings())


def owner(node: Node) -> str:
    text = node.text()
    if not node.given:
        node.refuse("is missing", "name the topology: what is made for it carries that name")
    if text is None:
        return ""
    if text == RESERVED_OWNER:
        node.refuse(f"{text!r} is the name under which every topology's default bridge is kept", "choose another")
    return node.attempt(lambda what, _option, value: normalise.owner(what, value), text) or text
