# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many times as long as elsewhere tests wait here: an emulated processor is ten times slower (noxfile.py, session vm)."""

from __future__ import annotations

import os
import subprocess
from typing import Any

FACTOR = float(os.environ.get("DOCKNET_PATIENCE", "1"))
WAIT, COMMUNICATE = subprocess.Popen.wait, subprocess.Popen.communicate


def wait(process: subprocess.Popen, timeout: float | None = None) -> int:
    return WAIT(process, timeout=timeout and timeout * FACTOR)


def communicate(process: subprocess.Popen, input: Any = None, timeout: float | None = None) -> Any:
    return COMMUNICATE(process, input, timeout=timeout and timeout * FACTOR)


def with_processes() -> None:
    """From now on no process is taken for hung before."""
    if FACTOR > 1:
        subprocess.Popen.wait, subprocess.Popen.communicate = wait, communicate
