# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The programs of the host that we ask (nft, docker, podman), and those that we leave running.

One file, since it is the only one that starts a process.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

from .._model.errors import Unsupported

# Written by the process itself before it becomes the program, so that no run that is killed can lose it. /proc/self,
# since `$$` would be the number of the shell that this one was started by.
RECORD = """read -r pid name state parent group session tty foreground flags minor cminor major cmajor user system \\
cuser csystem priority nice threads interval start rest </proc/self/stat && echo "$pid $start" >"$0" && exec "$@"
"""


class Answer(NamedTuple):
    code: int
    out: str
    err: str


def ask(what: str, name: str, arguments: list[str], text: str, timeout: float, way_out: str) -> Answer:
    """Run a program in the namespace the calling thread is in, with `text` as its input, for at most `timeout` seconds.

    Errors: Unsupported, about `what`, when the program is not there (`way_out`) or does not end.
    """
    program = find(what, name, way_out)
    try:
        # AnsibleModule.run_command, which the linter wants, has no time limit, and this room knows no Ansible.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            [program, *arguments],
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as error:
        raise Unsupported(
            what, f"{program} cannot be run: {error.strerror}", "see what keeps it from running"
        ) from error
    except subprocess.TimeoutExpired:
        raise Unsupported(what, f"{name} did not end within {timeout:.0f} s", "see what it waits for") from None
    return Answer(done.returncode, done.stdout, done.stderr)


def find(what: str, name: str, way_out: str) -> str:
    """The path of a program. Errors: Unsupported, about `what`, when it is not there."""
    program = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin")))
    if not program:
        raise Unsupported(what, f"the program {name} is not on this host", way_out)
    return program


def recorded(program: str, arguments: list[str], record: str) -> list[str]:
    """A command that writes its process number and start time (proc(5), field 22 of stat) to `record`, and is the program then."""
    return ["/bin/sh", "-c", RECORD, record, program, *arguments]


def start(command: list[str], folder: str, log: str) -> None:
    """Start a command in the namespace the calling thread is in, and leave it: it outlives us and is not our child.

    Its directory is `folder`, what it says to stderr is added to `log`. Errors: OSError.
    """
    with _as_oserror(command[-1]), open(log, "ab") as told:
        # The shell puts it into the background and ends at once, so whoever reaps orphans is its parent.
        # AnsibleModule.run_command, which the linter wants, waits for a program's end.
        subprocess.run(  # pylint: disable=ansible-bad-function
            ["/bin/sh", "-c", '"$@" &', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=told,
            cwd=folder,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            start_new_session=True,
            preexec_fn=_unblock,
            timeout=10,
            check=True,
        )


@contextlib.contextmanager
def _as_oserror(name: str) -> Iterator[None]:
    try:
        yield
    except subprocess.SubprocessError as error:
        raise OSError(errno.ECHILD, f"the shell that starts it failed ({error})", name) from error


def _unblock() -> None:
    """While changes are made, polite signals wait (_engine/run.py); the program must get them."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)
