# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make `import ansible_collections.netwright.docknet...` work, here and in every process a test starts.

Ansible finds a collection by its path alone, and a checkout may lie anywhere. So `tests/bootstrap` makes
`.nox/collections/ansible_collections/netwright/docknet`, a link to the checkout, and this file puts it in front.
Fixtures belong to the rings: `tests/kernel/conftest.py` and its neighbours.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

CHECKOUT = Path(__file__).resolve().parents[1]


def collections() -> Path:
    """The folder that holds `ansible_collections/netwright/docknet`, as a link or (under ansible-test) for real."""
    if CHECKOUT.parts[-3:] == ("ansible_collections", "netwright", "docknet"):
        return CHECKOUT.parents[2]
    linked = CHECKOUT / ".nox" / "collections"
    if not (linked / "ansible_collections" / "netwright" / "docknet" / "galaxy.yml").exists():
        raise RuntimeError(f"{linked} is not there yet: run tests/bootstrap once")
    return linked


for variable in ("PYTHONPATH", "ANSIBLE_COLLECTIONS_PATH"):
    paths = [str(collections()), *os.environ.get(variable, "").split(os.pathsep)]
    os.environ[variable] = os.pathsep.join(path for path in dict.fromkeys(paths) if path)
sys.path.insert(0, str(collections()))


# Of properties the same examples on every machine, and however busy it is; with DOCKNET_EXAMPLES others each time.
settings.register_profile("known", derandomize="DOCKNET_EXAMPLES" not in os.environ, deadline=None)
settings.load_profile("known")

# It is found from here on.
from ansible_collections.netwright.docknet.tests import faults_table, patience  # noqa: E402

patience.with_processes()


def pytest_configure(config):
    faults_table.register(config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    faults_table.record(item, call)
    return (yield)


@pytest.fixture(name="tries")
def fixture_tries(request):
    """Call it for each try of the fault that the test is marked with: see faults_table.py."""
    return faults_table.counter(request)
