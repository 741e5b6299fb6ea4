# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who imports whom: the walls between the rooms of the house (CONTRIBUTING.md has the picture)."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
UTILS = PLUGINS / "module_utils"
MODULES = PLUGINS / "modules"
PREFIX = "ansible_collections.netwright.docknet.plugins.module_utils."

# What a room's files may import of others. Everybody may import his own room, and the standard library.
ROOMS = {
    "_model": set(),
    "_topology": {"_model"},
    "_kernel": {"_model"},
    "_engine": {"_model"},
}
# The loop alone knows planner and kernel both, and Ansible.
LOOP = UTILS / "_engine" / "run.py"
# The values of _model are what a module's words become.
OF_MODULES = {"_model", "_topology"}
INTO_THE_ENGINE = {"_engine.run", "_engine.info"}

FILES = sorted(path for room in ROOMS for path in (UTILS / room).glob("*.py"))


def imports(path: Path) -> set[str]:
    """Everything a file imports, anywhere in it, by its whole name: `_model.link`, `ansible.module_utils.basic`, `os`."""
    found = set()
    here = path.relative_to(UTILS).parts[:-1] if UTILS in path.parents else ()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(here[: len(here) + 1 - node.level]) if node.level else []
            name = ".".join([*base, *filter(None, [node.module])]).removeprefix(PREFIX)
            # `from . import link` is about the file link, `from .link import Link` about the same file.
            found |= {f"{name}.{alias.name}" for alias in node.names} if name in ROOMS or not node.module else {name}
    return {name.removeprefix(PREFIX) for name in found}


def is_ours(name: str) -> bool:
    return name.partition(".")[0] in ROOMS


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-2:]))
def test_a_room_imports_what_it_may(path):
    room = path.parent.name
    allowed = {*ROOMS[room], room} | ({"_kernel"} if path == LOOP else set())
    assert {name.partition(".")[0] for name in imports(path) if is_ours(name)} <= allowed


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-2:]))
def test_only_the_loop_knows_ansible_and_nobody_anything_else(path):
    """What is no module of ours is of the standard library, but for two exceptions with a place of their own."""
    others = {name.partition(".")[0] for name in imports(path) if not is_ours(name)} - sys.stdlib_module_names
    assert others <= ({"ansible"} if path == LOOP else {"pyroute2"} if path.parent.name == "_kernel" else set())


def test_pyroute2_is_imported_in_one_place_of_the_kernel_room():
    assert [path.parent.name for path in FILES if any("pyroute2" in name for name in imports(path))] in (
        [],
        ["_kernel"],
    )


def test_programs_are_started_in_one_place():
    assert [path.name for path in FILES if "subprocess" in imports(path)] == ["program.py"]


@pytest.mark.parametrize("path", sorted(MODULES.glob("*.py")), ids=lambda path: path.name)
def test_a_module_knows_words_values_and_the_loop(path):
    for name in imports(path) - {"__future__.annotations", "__future__"}:
        assert name.partition(".")[0] in OF_MODULES or any(name.startswith(one) for one in INTO_THE_ENGINE), name


PURE = [path for path in FILES if path.parent.name != "_kernel" and path != LOOP]


@pytest.mark.parametrize("path", PURE, ids=lambda path: "/".join(path.parts[-2:]))
def test_what_is_pure_does_no_input_or_output(path):
    tree = ast.parse(path.read_text())
    assert not imports(path) & {"socket", "subprocess", "time", "random", "fcntl", "ctypes", "pathlib", "shutil"}
    of_os = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "os"
    }
    assert of_os <= {"path"}
    of_path = {
        getattr(node, "attr", "")
        for node in ast.walk(tree)
        if getattr(getattr(node, "value", None), "attr", "") == "path"
    }
    assert not of_path & {"exists", "isfile", "isdir", "islink", "ismount", "realpath", "getsize", "abspath"}
    called = {getattr(node.func, "id", "") for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not called & {"open", "print", "input", "exec", "eval"}


def test_every_import_goes_to_a_file_that_is_there():
    """Against a rule that holds because a name was misspelt."""
    for path in FILES:
        for name in filter(is_ours, imports(path)):
            room, _dot, rest = name.partition(".")
            stem = rest.partition(".")[0]
            assert (UTILS / room / f"{stem}.py").exists(), f"{path.name}: {name}"
