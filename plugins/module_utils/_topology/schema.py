# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A document's raw values, each with its path. What is wrong is noted and reading goes on, so that all errors are told at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Callable, Optional, TypeVar

from .._model.errors import DocknetError, InvalidRequest, Several
from .wish import one_line

Value = TypeVar("Value")

EXTENSION = "x-"
ROOT = "topology"
# YAML 1.1's words, Ansible's, and those of Go's strconv.ParseBool, by which Docker reads its options.
FLAGS = {
    **dict.fromkeys(("true", "yes", "on", "1", "t", "y"), True),
    **dict.fromkeys(("false", "no", "off", "0", "f", "n"), False),
}
WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
# Longer numbers are no port, tag or size, and Python refuses to print the longest.
BIGGEST = 10**18


class Findings:
    """What reading has found: errors in the document's order, and keys that were taken and mean nothing here."""

    def __init__(self) -> None:
        self.errors: list[DocknetError] = []
        self.idle: dict[tuple[str, str, str], list[str]] = {}

    def refuse(self, path: str, why: str, way_out: Optional[str] = None) -> None:
        self.note(InvalidRequest(path, why, way_out))

    def note(self, error: DocknetError) -> None:
        """Once, however often the value is looked at."""
        if str(error) not in map(str, self.errors):
            self.errors.append(error)

    def shrug(self, level: str, key: str, name: str, why: str) -> None:
        """One warning a key; `name` is where it was found, below `level`."""
        names = self.idle.setdefault((level, key, why), [])
        if name not in names:
            names.append(name)

    def warnings(self) -> tuple[str, ...]:
        return tuple(
            f"{key} is taken and has no effect ({level}{': ' if all(names) else ''}{', '.join(names)}): {why}"
            for (level, key, why), names in self.idle.items()
        )

    def settle(self) -> None:
        """Errors: InvalidRequest, or Several."""
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            raise Several(list(self.errors))


class Node:
    """One value of the document. null is as if it were not there.

    The methods that read it give None (or nothing) where it is absent or wrong; what is wrong has been noted then.
    """

    def __init__(self, value: Any, path: str, findings: Findings) -> None:
        self.value, self.path, self.findings = value, path, findings

    @property
    def given(self) -> bool:
        return self.value is not None

    @property
    def what(self) -> str:
        return self.path or ROOT

    def refuse(self, why: str, way_out: Optional[str] = None) -> None:
        self.findings.refuse(self.what, why, way_out)

    def __getitem__(self, key: str) -> Node:
        """The value of a key; an absent one where this is no mapping."""
        value = self.value.get(key) if isinstance(self.value, Mapping) else None
        return self.below(key, value)

    def below(self, key: object, value: Any) -> Node:
        name = one_line(plain(key))
        return Node(value, f"{self.path}.{name}" if self.path else name, self.findings)

    def mismatch(self, wanted: str) -> None:
        self.refuse(f"is {kind(self.value)}, where {wanted} is expected")

    def entries(self) -> Iterator[tuple[str, Node]]:
        """The keys and values of a mapping, but for extensions."""
        if not self.given:
            return
        if not isinstance(self.value, Mapping):
            self.mismatch("a mapping")
            return
        for key, value in self.value.items():
            node = self.below(key, value)
            if not isinstance(key, str):
                node.refuse(f"has {kind(key)} for its name", "quote it")
            elif not key.startswith(EXTENSION):
                yield key, node

    def check(
        self, known: Collection[str], strange: Optional[Mapping[str, str]] = None, idle: Optional[Idle] = None
    ) -> None:
        """No keys but these. `strange`: keys that others have, with the way out."""
        for key, node in self.entries():
            if key in known:
                continue
            if idle and key in idle.keys:
                self.findings.shrug(idle.level, key, idle.name, idle.keys[key])
            elif strange and key in strange:
                node.refuse("has no place here", strange[key])
            else:
                node.refuse("is not known", suggestion(key, known))

    def items(self) -> list[Node]:
        if not self.given:
            return []
        if not isinstance(self.value, (list, tuple)):
            self.mismatch("a list")
            return []
        return [Node(value, f"{self.path}[{position}]", self.findings) for position, value in enumerate(self.value)]

    def some(self) -> list[Node]:
        """A list, or one thing in its place."""
        return self.items() if not self.given or isinstance(self.value, (list, tuple)) else [self]

    def text(self) -> Optional[str]:
        if isinstance(self.value, str):
            return str(self.value)
        if self.given:
            quote = isinstance(self.value, (bool, int, float))
            self.refuse(f"is {kind(self.value)}, where text is expected", "quote it" if quote else None)
        return None

    def scalar(self) -> Optional[str]:
        """Text, or a number or a truth value as Docker's command line would have it."""
        if isinstance(self.value, bool):
            return str(self.value).lower()
        if isinstance(self.value, (int, float)):
            return plain(self.value)
        return self.text()

    def flag(self) -> Optional[bool]:
        word = plain(self.value).lower() if isinstance(self.value, (bool, int, str)) else None
        if word in FLAGS:
            return FLAGS[word]
        if self.given:
            self.refuse(f"is {shown(self.value)}, where true or false is expected")
        return None

    def whole(self, low: int, high: int) -> Optional[int]:
        if not self.given:
            return None
        value = self.value
        if isinstance(value, str) and WHOLE.fullmatch(value.strip()):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(f"is {shown(self.value)}, where a number is expected")
        elif not low <= value <= high:
            self.refuse(f"{plain(value)} is not from {low} to {high}")
        else:
            return int(value)
        return None

    def choice(self, words: Mapping[str, Value]) -> Optional[Value]:
        """The meaning of one of some words."""
        text = self.text()
        if text is None:
            return None
        if text in words:
            return words[text]
        self.refuse(f"{one_line(text)!r} is none of its words", suggestion(text, words) or listing(words))
        return None

    def parse(self, function: Callable[..., Value], *more: Any) -> Optional[Value]:
        """What a normaliser makes of the text."""
        text = self.text()
        return None if text is None else self.attempt(function, text, *more)

    def attempt(self, function: Callable[..., Value], *values: Any) -> Optional[Value]:
        """What `function(what, "", *values)` gives; what it refuses is noted."""
        try:
            return function(self.what, "", *values)
        except InvalidRequest as error:
            self.findings.note(error)
            return None


class Idle:
    """Keys without effect, with the reason, and where they would be found: `level` and the `name` below it."""

    def __init__(self, keys: Mapping[str, str], level: str, name: str) -> None:
        self.keys, self.level, self.name = keys, level, name


def plain(value: object) -> str:
    """A value as text, whatever it is; Python prints no numbers of more than 4300 digits."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > BIGGEST:
        return "a very long number"
    return str(value)


def shown(value: object) -> str:
    short = isinstance(value, (str, int, float)) and len(plain(value)) < 60
    return repr(one_line(plain(value))) if short else kind(value)


def kind(value: object) -> str:
    """In a user's words."""
    names = (
        (bool, "true or false"),
        ((int, float), "a number"),
        (str, "text"),
        (Mapping, "a mapping"),
        ((list, tuple), "a list"),
        (type(None), "nothing"),
    )
    return next((name for types, name in names if isinstance(value, types)), "of a kind that means nothing here")


def suggestion(word: str, known: Iterable[str]) -> Optional[str]:
    """The nearest of what would be right, or all of it where that is little."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, 1)
    return f"did you mean {near[0]!r}?" if near else None


def listing(words: Iterable[str]) -> str:
    return "write " + " or ".join(words)
