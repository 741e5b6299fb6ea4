# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Full and read-only file systems: found before the first change, and no obstacle once they are writable again."""

from __future__ import annotations

import pytest
from ansible_collections.netwright.docknet.tests.kernel.machine import sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import host, refused, topology

SHOP = {"name": "shop", "networks": {"front": {}}, "containers": {"web": {"networks": ["front"]}}}


@pytest.mark.parametrize("folder", ["/etc", "/var/lib", "/run"])
def test_a_read_only_file_system_is_found_before_the_first_change(folder):
    with host():
        sh(f"mount -o remount,ro {folder}")
        assert "read-only file system" in refused(SHOP).lower()
        sh(f"mount -o remount,rw {folder}")
        topology(SHOP)


@pytest.mark.parametrize("folder", ["/etc", "/var/lib"])
def test_a_full_file_system_is_found_before_the_first_change(folder):
    with host():
        sh(f"mount -o remount,size=64k {folder}; ! dd if=/dev/zero of={folder}/filler bs=4k 2>/dev/null")
        said = refused(SHOP)
        assert "is full" in said or "No space left" in said
        sh(f"rm {folder}/filler")
        topology(SHOP)
