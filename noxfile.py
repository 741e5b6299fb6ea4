# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every ring of tests as a session: what it needs, and what it runs.

`make test` runs them all in order (tests/rings.py) and adds up; by hand it is `.nox/nox/bin/nox -s kernel -- -k veth`.

Plain nox, not antsibull-nox: that one always gives ansible-test `--docker`, and a bare machine with the package
registries alone has no container images.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import nox
from nox.command import CommandFailed

sys.path.insert(0, str(Path(__file__).parent / "tests"))
from checks import Checks, exported, interpreter, output_of, path_of_pythons

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True

ROOT = Path(__file__).parent
NOX = ROOT / ".nox"
COLLECTIONS = NOX / "collections"
ENV = NOX / "env"

# ansible-core 2.19 drives everything; it runs on the Python of Debian 12.
ANSIBLE_CORE = "ansible-core>=2.19,<2.20"
# Of Hypothesis one release: with another one CI would draw other examples.
PYTEST = ["pytest>=8,<10", "pytest-timeout>=2.3,<3", "pytest-xdist>=3.6,<4", "hypothesis==6.170.15"]
PYROUTE2 = "pyroute2==0.9.*"  # the well-known library that our own netlink codec is held against
SANITY = {"2.19": "3.11", "2.20": "3.12", "2.21": "3.13"}  # ansible-core, and the Python it runs on

# It writes the path of a temporary folder into reStructuredText, where a name that happens to end in _ is a reference to nothing.
ANTSIBULL_DOCS = (
    "import sys, tempfile; tempfile._RandomNameSequence.characters = tempfile._RandomNameSequence.characters[:-1]; "
    "from antsibull_docs.cli.antsibull_docs import main; sys.exit(main())"
)

# What our processes see of Ansible: this collection, and nothing of the user's.
OURS = {
    "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
    "ANSIBLE_HOME": str(NOX / "ansible"),
    "ANSIBLE_INJECT_FACT_VARS": "false",  # deprecated in ansible-core 2.20: our roles do without
    "CONTAINERS_CONF": str(ROOT / "molecule" / "containers.conf"),
    "NO_COLOR": "1",
    "MOLECULE_GLOB": "molecule/*/molecule.yml",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PYTHONPATH": str(COLLECTIONS),
}
os.environ.update(OURS)

# A virtual machine without the hardware's help is ten times slower than the machine: minutes for a folder of tests there,
# for one test, and how many times as long as elsewhere a test waits for a process.
VM_FOLDERS = {"tests/vm": 90, "tests/kernel": 120, "tests/integration": 120}
VM_TEST_SECONDS = 3600
VM_PATIENCE = 6
# Of the ring integration what is between Ansible and the kernel. Its other stories are of playbooks, daemons and engines. There they
# would take hours, most of it Ansible's own, and ask little of the kernel that tests/vm and tests/kernel do not. By name each can be run.
VM_INTEGRATION = ["test_ten_steps", "test_dnat_rule", "test_snat_rule", "test_overlay_encrypted"]
# Tests of a kernel that was started with other words, each in a virtual machine of its own.
KERNEL_WORDS = {"tests/vm/test_without_ipv6.py": "ipv6.disable=1"}


@nox.session
def env(session: nox.Session) -> None:
    """The environment of most rings, in .nox/env."""
    session.install(ANSIBLE_CORE, PYROUTE2, *PYTEST, "molecule>=26.4,<27")


def pytest(session: nox.Session, folder: str, dist: str = "worksteal") -> None:
    """Run one folder of tests on all processors; `-- -k NAME` goes through to pytest, and `-n0` is one process."""
    junit = output_of(session) / f"{session.name}.xml"
    options = [f"--junitxml={junit}", "--numprocesses=auto", f"--dist={dist}", folder]
    session.run(f"{ENV}/bin/python", "-m", "pytest", *options, *session.posargs, external=True)


@nox.session(requires=["env"], venv_backend="none")
def unit(session: nox.Session) -> None:
    """Pure functions: planner, normalisers, renderers."""
    pytest(session, "tests/unit")


@nox.session(requires=["env"], venv_backend="none")
def kernel(session: nox.Session) -> None:
    """The engine on the real kernel, in namespaces of its own."""
    pytest(session, "tests/kernel")


@nox.session(requires=["env"], venv_backend="none")
def integration(session: nox.Session) -> None:
    """Modules through Ansible, on lab hosts."""
    pytest(session, "tests/integration", dist="loadfile")  # a file may tell a story


@nox.session(requires=["env"], venv_backend="none")
def vm(session: nox.Session) -> None:
    """Under a stock Debian kernel: what needs one, the ring kernel, and some of integration; `-- tests/vm -k sctp` runs part of it."""
    folders = [word for word in session.posargs if word.startswith("tests/")]
    options = [word for word in session.posargs if word not in folders]
    some = {"tests/integration": [f"tests/integration/{name}.py" for name in VM_INTEGRATION]}
    without = [f"--ignore={name}" for name in KERNEL_WORDS]
    named = folders or [*VM_FOLDERS, *KERNEL_WORDS]
    plain = [[*some.get(folder, [folder]), *without, *options] for folder in named if folder not in KERNEL_WORDS]
    virtual(session, [*plain, *([folder, *options] for folder in named if folder in KERNEL_WORDS)])


@nox.session(requires=["env"], venv_backend="none")
def vm_short(session: nox.Session) -> None:
    """What of that is quick: tests/vm/short.txt names it."""
    lines = (ROOT / "tests" / "vm" / "short.txt").read_text().splitlines()
    tests = [line for line in lines if line and not line.startswith("#")]
    virtual(session, [[*tests, *session.posargs]])


def virtual(session: nox.Session, runs: list[list[str]]) -> None:
    """Run pytest with each list of words in a virtual machine of its own, whatever fails."""
    output = output_of(session)
    ours = [f"{name}={value}" for name, value in {**OURS, "DOCKNET_PATIENCE": VM_PATIENCE}.items()]
    failed = []
    for words in runs:
        folder = next(folder for folder in VM_FOLDERS if words[0].startswith(folder))
        options = [f"--junitxml={output}/{Path(folder).name}.xml", "--numprocesses=auto", "--dist=loadfile"]
        options += ["--verbose", f"--timeout={VM_TEST_SECONDS}", *words]
        bounded = ["timeout", "--kill-after=30", f"{VM_FOLDERS[folder]}m"]
        command = ["env", *ours, *bounded, f"{ENV}/bin/python", "-m", "pytest", *options]
        kernel = {"DOCKNET_KERNEL_WORDS": KERNEL_WORDS.get(words[0], "")}
        try:
            session.run("tests/vm/boot", str(output), *command, external=True, env=kernel)
        except CommandFailed:
            failed.append(folder)
    if failed:
        session.error(f"failed: {', '.join(failed)}")


@nox.session(requires=["env"], venv_backend="none")
def faults(session: nox.Session) -> None:
    """What happens when something breaks half-way."""
    pytest(session, "tests/faults")


@nox.session(requires=["env"], venv_backend="none")
def parity(session: nox.Session) -> None:
    """The same words given to a container engine and to us."""
    pytest(session, "tests/parity")


@nox.session(requires=["env"], venv_backend="none")
def molecule(session: nox.Session) -> None:
    """Each role on privileged containers; `-- host` runs one scenario, `-- host converge` one step of it."""
    scenarios = sorted(file.parent.name for file in ROOT.glob("molecule/*/molecule.yml"))
    scenarios.remove("default")  # it holds what the others share
    for scenario in list(scenarios) if not session.posargs else ():
        needs = ROOT / "molecule" / scenario / "stock-kernel"
        if needs.exists():
            session.log(f"{scenario}: not here but in the ring vm, for it needs {needs.read_text().strip()}")
            scenarios.remove(scenario)
    steps = session.posargs[1:] or ["test"]
    with Checks(session) as checks:

        def run(scenario: str) -> None:
            state = NOX / "molecule" / scenario
            if steps == ["test"]:  # a run cut short must not pass for created hosts
                shutil.rmtree(state, ignore_errors=True)
            environment = {"MOLECULE_EPHEMERAL_DIRECTORY": str(state), "PATH": f"{ENV}/bin:{os.environ['PATH']}"}
            for step in steps:
                name = scenario if step == "test" else f"{scenario} {step}"
                command = "molecule --base-config=molecule/default/molecule.yml"
                checks.run(name, f"{command} {step} --scenario-name={scenario}", env=environment)

        checks.side_by_side(run, session.posargs[:1] or scenarios)


@nox.session(venv_backend="none")
def sanity(session: nox.Session) -> None:
    """`ansible-test sanity` with each ansible-core we support; `-- 2.21 --test pylint` runs one test of one of them."""
    options = session.posargs
    cores = [options[0]] if options and options[0] in SANITY else list(SANITY)
    commands = {core: ansible_test(session, core) for core in cores}
    with Checks(session) as checks:

        def run(core: str) -> None:
            command, environment = commands[core]
            words = [*command, "sanity", "--color", "no", *(option for option in options if option != core)]
            skipped = "All targets skipped|Required program"
            with exported() as tree:
                checks.run(f"ansible-test sanity {core}", words, reject=skipped, env=environment, cwd=tree)

        checks.side_by_side(run, cores)


def ansible_test(session: nox.Session, core: str) -> tuple[list[str], dict[str, str]]:
    """The command `ansible-test` of an ansible-core, which is installed first, and the environment it needs."""
    prefix, python = interpreter(SANITY[core])
    # Not an environment of nox: it may have to be made and used inside Debian 13.
    venv = NOX / f"sanity-{core}{'-debian13' if prefix else ''}"
    if not (venv / "bin" / "pip").exists():
        session.run(*prefix, python, "-m", "venv", "--clear", str(venv), external=True)
    session.run(*prefix, f"{venv}/bin/pip", "install", "--quiet", f"ansible-core=={core}.*", external=True)
    environment = {"HOME": str(ansible_test_home(session, venv)), "PATH": path_of_pythons(), "PYTHONPATH": ""}
    return [*prefix, f"{venv}/bin/ansible-test"], environment


def ansible_test_home(session: nox.Session, venv: Path) -> Path:
    """A home for ansible-test: it keeps environments in ~, and passes of ours only PATH and HOME on to pip.

    It also fetches a script from a host of its own to put pip into them; found in its cache, the script is not
    fetched, so there lies one that does the same with the pip that comes with Python.
    """
    home = venv / "home"
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    requirements = next(venv.glob("lib/python*/site-packages/ansible_test/_internal/python_requirements.py"))
    version = re.search(r"pip='([0-9.]+)'", requirements.read_text())[1]
    shutil.copy(ROOT / "tests" / "get_pip.py", cache / f"get_pip_{version.replace('.', '_')}.py")

    # pip's settings, wherever they come from, as the user's file of that home; the environment's win.
    said = session.run(f"{NOX}/nox/bin/pip", "config", "list", external=True, silent=True, log=False)
    settings = sorted((line for line in said.splitlines() if line.startswith(("global.", ":env:."))), reverse=True)
    options = {line.partition("=")[0].rpartition(".")[2]: line.partition("=")[2].strip("'") for line in settings}
    file = home / ".config" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(["[global]", *(f"{option} = {value}" for option, value in options.items()), ""]))
    return home


@nox.session
def lint(session: nox.Session) -> None:
    """Everything that reads the collection and runs nothing of it."""
    ansible = ["ansible-lint>=26.4,<27", "antsibull-docs>=2.20,<3", "antsibull-changelog>=0.34,<1"]
    session.install(ANSIBLE_CORE, *ansible, "yamllint>=1.37,<2", "ruff==0.*", "mypy>=1.18,<3")
    utils = "ansible_collections.netwright.docknet.plugins.module_utils"
    here = {
        "ruff check": "ruff check",
        "ruff format": "ruff format --check --diff",
        "mypy": f"mypy --package={utils}",
    }
    there = {
        "ansible-lint": "ansible-lint --offline --strict --profile=production",
        "yamllint": "yamllint --strict .",
        "antsibull-docs": f"python -c '{ANTSIBULL_DOCS}' lint-collection-docs --plugin-docs --validate-collection-refs=self .",
        "antsibull-changelog": "antsibull-changelog lint",
    }
    with exported() as tree, Checks(session) as checks:

        def run(name: str) -> None:
            if name in here:
                checks.run(name, here[name], env={"MYPYPATH": str(COLLECTIONS)})
            else:
                checks.run(name, there[name], cwd=tree)

        checks.side_by_side(run, [*there, *here])


@nox.session(requires=["env"])
def galaxy(session: nox.Session) -> None:
    """What a user gets: the collection built, imported as Galaxy does, and installed beside ansible-core alone."""
    session.install("galaxy-importer>=0.4.44,<0.5", ANSIBLE_CORE)
    alone = NOX / "alone"
    session.run("python", "-m", "venv", "--clear", str(alone))
    session.run(f"{alone}/bin/pip", "install", "--quiet", ANSIBLE_CORE, external=True)
    work = Path(session.create_tmp()).resolve()
    shutil.rmtree(work)
    work.mkdir()
    # The checkout is not to be found: neither by Ansible nor by Python.
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(work), "PYTHONPATH": "", "HOME": str(work)}
    inventory = f"--inventory=localhost, --connection=local -e ansible_python_interpreter={ENV}/bin/python"
    playbook = f"{alone}/bin/ansible-playbook {inventory} {ROOT}/tests/artefact.yml"
    with exported() as tree, Checks(session) as checks:
        modules = " ".join(f"netwright.docknet.{file.stem}" for file in tree.glob("plugins/modules/[!_]*.py"))
        if not checks.run("build", f"ansible-galaxy collection build --output-path={work} {tree}"):
            return
        artefact = next(work.glob("*.tar.gz"))
        unclean = "^(WARNING|ERROR)"
        checks.run("galaxy-importer", f"python -m galaxy_importer.main {artefact}", unclean, env=environment, cwd=work)
        checks.run("install", f"{alone}/bin/ansible-galaxy collection install --offline {artefact}", env=environment)
        checks.run("ansible-doc", f"{alone}/bin/ansible-doc {modules}", r"ERROR|\[WARNING", env=environment)
        # In namespaces of its own: the machine's are nobody's playground.
        own = ["unshare", "--net", "--mount", "sh", "-c", f"mount -t tmpfs tmpfs /run && exec {playbook}"]
        checks.run("playbook", own, r"\[WARNING", env=environment, cwd=work)


@nox.session
def demo(session: nox.Session) -> None:
    """Three lab hosts on this machine with the by-hand recipe and a shop on each; they stay. `-- down` removes them."""
    session.install(ANSIBLE_CORE)
    lab = ["python", "tests/lab/lab.py"]
    if "down" in session.posargs:
        session.run(*lab, "down", "--name=demo")
        return
    session.run(*lab, "up", "--name=demo", "--hosts=node1,node2,node3", "--outside")
    hosts = NOX / "demo" / "hosts.yml"
    hosts.write_text(session.run(*lab, "inventory", "--name=demo", silent=True))
    ansible = ["ansible-playbook", f"--inventory={hosts}", "--extra-vars=target=nodes"]
    playbooks = ["netwright.docknet.by_hand", "netwright.docknet.shop"]
    session.run(*ansible, *playbooks)
    session.log("The same again, to see that it changes nothing:")
    recap = (
        session.run(*ansible, *playbooks, "--tags=build", silent=True).rpartition("PLAY RECAP")[2].partition("\n")[2]
    )
    if re.search("(changed|failed|unreachable)=[1-9]", recap):
        session.error(f"it does: {recap}")
    enter = "python3 tests/lab/lab.py exec demo node1"
    print(f"""{recap}
    Built, proved and unchanged: node1, node2 and node3 each have the recipe everyone knows, by hand-sized steps, and a shop in
    Compose's words: a web server that is published, a database behind it, a customer, and a probe inside the web server.
    They stay up until `make demo-down`. To look around in one:

      {enter} -- ip -brief address
      {enter} -- ip netns exec client curl --silent http://web/
      {enter} -- ip netns exec customer curl --silent http://store.front/
      {enter} -- nft list chain inet docknet forward
      {enter}                     # a shell

    Break something there, see what is said about it, and have it mended; take it all away again with --tags=remove:

      export ANSIBLE_COLLECTIONS_PATH={COLLECTIONS}
      .nox/demo/bin/{" ".join([*ansible, *playbooks])} --check --diff
    """)


@nox.session(requires=["env"], venv_backend="none")
def bench(session: nox.Session) -> None:
    """How long our work takes, as ratios within one run."""
    for script in ("pairs.py", "topology.py", "codec.py", "hosts.py", "evpn.py", "move.py"):
        session.run(f"{ENV}/bin/python", f"tests/bench/{script}", *session.posargs, external=True)
