# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of this machine must be the same before and after tests that work in namespaces of their own."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import pathlib
import subprocess
import time
from collections.abc import Callable, Generator, Iterator

import pytest

# A namespace that nobody holds any more ends a moment later, and with it the links that led into it.
PATIENCE = 3.0
# Container engines may work on this machine meanwhile: their links with their ports, namespaces, and mounts.
ENGINES = ("podman", "cni-", "docker", "br-", "netns-")
ENGINES_MOUNTS = ("/var/lib/containers/", "/run/netns", "/run/user/")


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, bool, bool]:
    """Compare before the first test and after the last, of all processes that share them: for a ring's conftest.py."""
    before = traces()
    done = yield
    left = "" if hasattr(session.config, "workerinput") else difference(before, traces)
    if left:
        session.config.get_terminal_writer().line(left, red=True)
        session.testsfailed += 1
    return done


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Errors: AssertionError, with the difference, where this machine or this process is another one after the block."""
    before = [*traces(), descriptors()]
    yield
    left = difference(before, lambda: [*traces(), descriptors()])
    assert not left, left


def difference(before: list[str], look: Callable[[], list[str]]) -> str:
    """A sentence and a diff; empty where all is as it was, at once or a moment later."""
    end = time.monotonic() + PATIENCE
    while (after := look()) != before and time.monotonic() < end:
        time.sleep(0.05)
    diff = list(difflib.unified_diff(before, after, "before", "after", lineterm="", n=0))
    return "\n".join(["the tests changed this machine (or somebody else did meanwhile):", *diff]) if diff else ""


def descriptors() -> str:
    return f"{len(os.listdir('/proc/self/fd'))} descriptors"


def traces() -> list[str]:
    """Links, named namespaces, mounts and our files, a line each."""
    links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, text=True, check=True).stdout)
    found = [
        f"link {link['ifname']} mtu {link['mtu']} mac {link.get('address')} {link.get('flags')}"
        for link in links
        if not link.get("master", link["ifname"]).startswith(ENGINES)
    ]
    for folder in ("/run/netns", "/run/docknet", "/var/lib/docknet", "/etc/netns"):
        if os.path.isdir(folder):
            found += [f"file {folder}/{name}" for name in sorted(os.listdir(folder)) if not name.startswith(ENGINES)]
    points = (line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines())
    return found + sorted(f"mount {point}" for point in points if not point.startswith(ENGINES_MOUNTS))
