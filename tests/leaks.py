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
from collections.abc import Iterator

# A namespace that nobody holds any more ends a moment later, and with it the links that led into it.
PATIENCE = 3.0
# Container engines may work on this machine meanwhile: their links with their ports, namespaces, and mounts.
ENGINES = ("podman", "cni-", "docker", "br-", "netns-")
ENGINES_MOUNTS = ("/var/lib/containers/", "/run/netns", "/run/user/")


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Errors: AssertionError, with the difference, where this machine is another one after the block."""
    before = traces()
    yield
    end = time.monotonic() + PATIENCE
    while (after := traces()) != before and time.monotonic() < end:
        time.sleep(0.05)
    left = "\n".join(difflib.unified_diff(before, after, "before", "after", lineterm="", n=0))
    assert not left, f"the tests changed this machine (or somebody else did meanwhile):\n{left}"


def traces() -> list[str]:
    """Links, named namespaces, mounts, our files and open descriptors, a line each."""
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
    found += sorted(f"mount {point}" for point in points if not point.startswith(ENGINES_MOUNTS))
    return [*found, f"{len(os.listdir('/proc/self/fd'))} descriptors"]
