# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The integration ring: nothing of it may be left on this machine."""

from __future__ import annotations

from ansible_collections.netwright.docknet.tests.leaks import pytest_runtestloop

__all__ = ["pytest_runtestloop"]
