# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What needs a stock kernel, on a virtual machine: nothing of it may be left there, as in the kernel ring."""

from __future__ import annotations

import pytest
from ansible_collections.netwright.docknet.tests.kernel.machine import machine
from ansible_collections.netwright.docknet.tests.leaks import nothing_left, pytest_runtestloop

__all__ = ["fixture_machine", "pytest_runtestloop"]


@pytest.fixture(name="machine")
def fixture_machine():
    """The test is on a machine of its own, with an empty /run: see machine.py."""
    with nothing_left(), machine():
        yield
