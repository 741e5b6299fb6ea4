# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sessions of noxfile.py stand on: commands counted like tests, interpreters, and a copy of the collection."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import nox

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "tests" / "output"
HOME = ROOT / ".nox" / "home"  # some tools write logs and caches there


def output_of(session: nox.Session) -> Path:
    """The folder of a session's ring, where it leaves JUnit files (tests/rings.py adds them up) and logs."""
    folder = OUTPUT / re.split(r"\W", session.name)[0]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Checks:
    """Commands that each count as one test: all are run, whatever fails, and a JUnit file tells how they went.

    What a command prints goes to a log in the ring's output folder, and its end to the screen if it failed.
    """

    def __init__(self, session: nox.Session) -> None:
        self.session = session
        self.suite = ElementTree.Element("testsuite", name=session.name)

    def __enter__(self) -> Checks:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        file = output_of(self.session) / f"{self.session.name}.xml"
        ElementTree.ElementTree(self.suite).write(file)
        failed = [case.get("name", "") for case in self.suite if len(case)]
        if failed and not kind:
            self.session.error(f"failed: {', '.join(failed)}")

    def side_by_side(self, run: Callable[[str], None], names: Iterable[str]) -> None:
        """Call `run` with each name, as many at a time as there are processors."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for result in [pool.submit(run, name) for name in names]:
                result.result()

    def run(
        self,
        name: str,
        command: str | list[str],
        reject: str | None = None,
        env: dict[str, str] | None = None,
        cwd: Path = ROOT,
    ) -> bool:
        """Run one command; it passes with exit code 0 and, given `reject`, no line of output that matches it."""
        log = output_of(self.session) / (re.sub(r"\W+", "-", name) + ".log")
        self.session.log(f"{name} ... (what it says is in {log.relative_to(ROOT)})")
        words = shlex.split(command) if isinstance(command, str) else command
        path = os.pathsep.join([*map(str, self.session.bin_paths or []), os.environ["PATH"]])
        environment = {**os.environ, "HOME": str(HOME), "PATH": path, **(env or {})}
        HOME.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        with log.open("w") as file:
            run = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, cwd=cwd, check=False
            )
        seconds = time.monotonic() - start
        # XML has no words for colours and other control characters.
        lines = [
            re.sub(r"\x1b\[[\d;]*m|[^\t -\ufffd]", "", line) for line in log.read_text(errors="replace").splitlines()
        ]
        rejected = [line for line in lines if reject and re.search(reject, line)]
        case = ElementTree.SubElement(self.suite, "testcase", name=name, time=f"{seconds:.1f}")
        if run.returncode == 0 and not rejected:
            self.session.log(f"{name}: ok, {seconds:.0f} s")
            return True
        why = f"exit code {run.returncode}" if run.returncode else f"it says: {rejected[0]}"
        ElementTree.SubElement(case, "failure", message=why).text = "\n".join(lines[-80:])
        self.session.warn("\n".join([*lines[-80:], f"{name}: FAILED, {why}, {seconds:.0f} s"]))
        return False


class Interpreter(NamedTuple):
    """A Python, and the words to put before every command that is to see it."""

    prefix: list[str]
    path: str


def interpreter(version: str) -> Interpreter:
    """Find the Python of that version on this machine, or else take Debian 13's, unpacked beside the checkout's environments."""
    found = find_python(version)
    return Interpreter([], str(found)) if found else Interpreter([str(ROOT / "tests" / "debian13")], "/usr/bin/python3")


def find_python(version: str) -> Path | None:
    """The interpreter itself; a pyenv shim is one only while its version is selected, so what lies behind it is tried too."""
    name = f"python{version}"
    places = [Path(place) for place in os.environ.get("PATH", "").split(os.pathsep)]
    candidates = [place / name for place in places]
    for shims in (place for place in places if place.name == "shims"):
        candidates += sorted(shims.parent.glob(f"versions/{version}.*/bin/{name}"))
    for candidate in filter(Path.exists, candidates):
        answer = subprocess.run(
            [candidate, "-c", "import ensurepip, sys; print(sys.executable)"],
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode == 0:
            return Path(answer.stdout.strip())
    return None


def path_of_pythons() -> str:
    """A PATH on which every python3.Y that there is really runs: ansible-test tries managed hosts' versions on them."""
    found = [python.parent for python in map(find_python, (f"3.{minor}" for minor in range(9, 15))) if python]
    others = [place for place in os.environ["PATH"].split(os.pathsep) if Path(place).name != "shims"]
    return os.pathsep.join([*map(str, found), *others])


@contextlib.contextmanager
def exported() -> Iterator[Path]:
    """A copy of what git knows or would add, at .../ansible_collections/netwright/docknet: ansible-test takes no other.

    It lies outside the checkout, for both ansible-test and ansible-lint ask the git repository around them for files.
    """
    with tempfile.TemporaryDirectory(prefix="docknet-") as folder:
        target = Path(folder, "ansible_collections", "netwright", "docknet")
        command = ["git", "ls-files", "-coz", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).exists():  # not deleted since git heard of it
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target / name)
        yield target
