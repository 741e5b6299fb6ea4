# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's own main in this process: as Ansible runs it on a host, without the half second of getting it there."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
from typing import Any

from ansible.module_utils import basic
from ansible.module_utils.common import warnings


def call(module: str, **arguments: Any) -> dict[str, Any]:
    """What the module answers: `changed`, `actions`, or `failed` and `msg`. `_ansible_check_mode` is an argument too."""
    main = importlib.import_module(f"ansible_collections.netwright.docknet.plugins.modules.{module}").main
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    warnings._global_warnings.clear()  # of earlier calls in this process
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main()
    return json.loads(out.getvalue().strip().splitlines()[-1])
