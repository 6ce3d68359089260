"""The project's sessions. `nox -l` lists them; each creates its own environment."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.options.sessions = ["tests", "lint"]
nox.options.error_on_missing_interpreters = True

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each process would compile anew what it imports

DEMO = """
from metaflow import Flow, namespace
namespace(None)
run = Flow("ParameterFlow").latest_run
print(f"{run.pathspec} by Metaflow's Client API:")
for step in ("start", "end"):
    task = run[step].task
    print(f"  alpha in {step}: {task.data.alpha}")
    assert task.data.alpha == 0.5
"""

NEXT = """
To go on, here:

  . {activate}
  mfhera trigger --param alpha=0.7 --watch   # another run
  mfhera open                                # its page in the browser; mfhera local stop ends the server

The page, now, at an address that works once, within a minute:
"""

GOLDEN = "tests/unit/translation/test_golden.py::test_a_flow_becomes_what_it_became_before"
OLDEST = (
    "tests/unit/test_target.py",
    "tests/unit/translation/test_cron.py",
    *(f"{GOLDEN}[{flow}]" for flow in ("pod", "schedules", "event")),
)
"""Tests of what other packages do: cron expressions, configuration, a whole manifest."""

RECORDED = (
    "tests/differential",
    "tests/integration/test_configs.py",
    "tests/integration/test_decorators.py",
    "tests/integration/test_flows.py",
    "tests/integration/test_parallel.py",
    "tests/integration/test_switches.py",
)
"""The tests that compare with what was recorded of Metaflow's own runs."""

END_TO_END = tuple(
    f"tests/integration/test_{name}.py"
    for name in (
        *("flows", "switches", "verbs", "deployer", "schedules"),
        *("hooks", "events", "gitops", "bad_input", "resume", "splits"),
        *("versions", "diff", "backfill"),
    )
)
"""The tests of flows, verbs and their refusals, from a command to what the server and the pods make of it."""

EXTENSIONS = {
    "card_html": ("metaflow-card-html==1.0.3",),
    "metaflow_checkpoint": ("metaflow-checkpoint==0.2.14",),
    "metaflow_torchrun": ("metaflow-torchrun==0.2.2", "torch", "numpy"),
    "metaflow_ray": ("metaflow-ray==0.1.5", "ray"),
    "metaflow_netflixext": ("metaflow-netflixext==1.3.17",),
}
"""Extensions of Metaflow, each with what it needs in a pod. Their tests are tests/extensions/test_NAME.py."""

NOTEBOOK = """
import nbclient, nbformat
notebook = nbformat.read("examples/notebook.ipynb", as_version=4)
nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": "examples"}}).execute()
for cell in notebook.cells:
    print(f"\\n{cell.source}")
    for output in cell.get("outputs", []):
        print(output.get("text") or output["data"]["text/plain"])
"""


def _environment(session: nox.Session) -> dict[str, str | None]:
    """An embedded Argo for the session alone, and a user if the machine names none that Metaflow accepts."""
    home = Path(session.create_tmp()).absolute()
    user = os.environ.get("METAFLOW_USER") or os.environ.get("USER") or "someone"
    return {
        "ARGO_SERVER": None,
        "METAFLOW_HERA_HOME": str(home / "argo"),
        "METAFLOW_USER": "someone" if user == "root" else user,
        "METAFLOW_HOME": str(home / "metaflow"),
    }


def _run_example(
    session: nox.Session, env: dict[str, str | None], flow: str = "examples/parameter_flow.py"
) -> None:
    """Deploy the example ParameterFlow, run it with alpha=0.5, read the results back."""
    session.run("mfhera", "create", flow, "--with", "retry", env=env)
    session.run("mfhera", "trigger", "--param", "alpha=0.5", "--wait", env=env)
    session.run("mfhera", "status", env=env)
    session.run("python", "-c", DEMO, env=env)


def _run_example_apart(session: nox.Session, flow: str = "examples/parameter_flow.py") -> None:
    """The same with an embedded Argo for the session alone."""
    env = _environment(session)
    try:
        _run_example(session, env, flow)
    finally:
        session.run("mfhera", "local", "stop", env=env)


@nox.session
def demo(session: nox.Session) -> None:
    """Deploy the example ParameterFlow, run it with alpha=0.5, read the results back.

    The environment stays, and so does the user's embedded Argo with what was deployed.
    """
    session.install("-e", ".")
    env = {"ARGO_SERVER": None, "METAFLOW_HOME": str(Path(session.create_tmp()).absolute() / "metaflow")}
    _run_example(session, env)
    activate = Path(os.path.relpath(session.virtualenv.location)) / "bin" / "activate"
    print(NEXT.format(activate=activate), flush=True)
    session.run("mfhera", "local", "open", "--print", env=env, log=False)


@nox.session
def notebook(session: nox.Session) -> None:
    """Run examples/notebook.ipynb and show what its cells show."""
    session.install("-e", ".", "nbclient", "ipykernel")
    env = _environment(session)
    try:
        session.run("python", "-c", NOTEBOOK, env=env)
    finally:
        session.run("mfhera", "local", "stop", env=env)


@nox.session
def tests(session: nox.Session) -> None:
    """The whole suite, in five processes: tests often wait. `nox -s tests -- ARGS` passes ARGS on."""
    session.install("-e", ".[dev]")
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    session.run("pytest", "--collect-only", "-qq", silent=True)  # compiles once what all five import
    session.run("pytest", "-n", "5", "--dist", "loadgroup", "--durations", "20")


@nox.session
def cluster(session: nox.Session) -> None:
    """The tests that any Argo can take, against the one that ARGO_SERVER names, or the embedded one.

    CONTRIBUTING.md says what a cluster must have. `-- -m "not same_machine"` where its pods are elsewhere.
    """
    session.install("-e", ".[dev]")
    session.run("pytest", "--any-argo", *END_TO_END, *session.posargs)


@nox.session
def screenshot(session: nox.Session) -> None:
    """Take docs/page.png again, of a real run in a real browser. It needs chromium and chromium-driver.

    `-- FOLDER` also keeps a picture of each view there, in light and dark, wide and narrow.
    """
    session.install("-e", ".[dev]")
    env = {"PAGE_SCREENSHOT": str(Path("docs/page.png").absolute())}
    if session.posargs:
        folder = Path(session.posargs[0]).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        session.run("pytest", "tests/acceptance/test_browser_views.py", env={"PAGE_VIEWS": str(folder)})
    session.run("pytest", "tests/acceptance/test_browser.py", "-k", "screenshot", env=env)


@nox.session
@nox.parametrize("extension", [*EXTENSIONS], ids=[*EXTENSIONS])
def extensions(session: nox.Session, extension: str) -> None:
    """Flows with the extensions of others, one beside this package at a time. torch and ray are large."""
    session.install("-e", ".[dev]", *EXTENSIONS[extension])
    session.run("pytest", "-rs", f"tests/extensions/test_{extension}.py", *session.posargs)


@nox.session
def differential(session: nox.Session) -> None:
    """Flows, run by Metaflow and by mfhera, and compared. `-- --seeds 200-299` chooses other random ones.

    `-- --record` records the results of the installed Metaflow for the flows that the suite runs.
    """
    session.install("-e", ".[dev]")
    options = session.posargs or ["--seeds", "0-199"]
    session.run("pytest", "-n", "2", *RECORDED, "--live", *options)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, the direction of imports, and the workflows and scripts of CI."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("mypy", "--platform", "darwin")
    session.run("mypy", "tests/typing")  # what a user's type checker sees of the Python interface
    session.run("lint-imports")
    workflows = map(str, sorted(Path(".github/workflows").glob("*.yml")))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    session.run("shellcheck", ".ci/run", "tests/cluster/run")


@nox.session
def reference(session: nox.Session) -> None:
    """Rewrite what docs/reference shows of the code: commands, options, variables, errors, names."""
    session.install("-e", ".")
    session.run("python", "scripts/reference.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation as a site, into site/. A warning fails it, a link that leads nowhere too."""
    session.install("-e", ".[docs]")
    session.run("python", "scripts/reference.py", "--check")
    session.run("sphinx-build", "--fail-on-warning", "--keep-going", "docs", "site", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Ratios measured in one run, against Metaflow's own plugin and bare processes. No ratio fails it."""
    session.install("-e", ".[dev]", "kubernetes")
    env = _environment(session)
    shutil.rmtree(env["METAFLOW_HERA_HOME"], ignore_errors=True)
    session.run("python", "bench/run.py", *session.posargs, env=env)


@nox.session
def schema(session: nox.Session) -> None:
    """Renew what follows from Argo's JSON schema: `-- --check` compares, `-- --schema FILE` uses another."""
    session.run("python", "scripts/argo_fields.py", *session.posargs)


@nox.session
def oldest(session: nox.Session) -> None:
    """The example, and a slice of the tests, with the lowest version of each direct dependency."""
    session.install("uv")
    python = str(Path(session.virtualenv.location) / "bin" / "python")
    lowest = ("uv", "pip", "install", "--quiet", "--python", python, "--resolution", "lowest-direct")
    session.run(*lowest, "-e", ".")
    session.run("uv", "pip", "list", "--python", python)
    _run_example_apart(session)
    session.install("pytest", "httpx", "jsonschema", "pyawscron", "cronsim", "trustme")
    session.run("pytest", "-q", *OLDEST)


@nox.session
def release(session: nox.Session) -> None:
    """Build sdist and wheel into dist/, check them, and run the example with the wheel, outside the clone."""
    session.install("build", "twine")
    shutil.rmtree("dist", ignore_errors=True)
    shutil.rmtree("build", ignore_errors=True)  # setuptools would include what an earlier build left there
    session.run("python", "-m", "build", silent=True)
    files = sorted(map(str, Path("dist").iterdir()))
    session.run("twine", "check", "--strict", *files)
    session.run("python", "scripts/check_release.py", *files)
    session.install(next(file for file in files if file.endswith(".whl")))
    folder = Path(session.create_tmp()).absolute() / "elsewhere"
    folder.mkdir(exist_ok=True)
    shutil.copy("examples/parameter_flow.py", folder)
    with session.chdir(folder):
        session.run("mfhera", "--help")
        _run_example_apart(session, "parameter_flow.py")
