# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-test runs to put pip into an empty environment, without a download beside the package registry's.

It is called with the packages to install (`pip==24.2`), options of pip, and two of the original that mean nothing here.
"""

from __future__ import annotations

import subprocess
import sys

# As a process of its own: it sets variables that make pip forget its configuration.
subprocess.run([sys.executable, "-m", "ensurepip"], check=True)
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.run([sys.executable, "-m", "pip", "install", *wanted], check=True)
