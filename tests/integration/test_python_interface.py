"""`from metaflow_hera import translate, deploy`: flows in files and modules, options, errors."""

from __future__ import annotations

import json
import subprocess
import sys

from harness import EXAMPLES, Mfhera

SCRIPT = """
import asyncio, json, os, unittest.mock
from metaflow_hera import MetaflowHeraError, Deployment, Run, deploy, translate
from metaflow import FlowSpec, Parameter, step


class ScriptFlow(FlowSpec):
    alpha = Parameter("alpha", default=0.01, help="Learning rate")

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        print("printed by the task")


ANN = {"METAFLOW_USER": "ann", "METAFLOW_HOME": "home-of-ann"}


def at(env, call):
    with unittest.mock.patch.dict(os.environ, env):
        call()


def went_back(deployment):
    number = deployment.rollback(1, message="again")
    found = deployment.versions()
    return [[[each.number, each.live] for each in found], number, found[0].message]


async def main():
    import parameter_flow

    found = {}
    print("printed by the script")
    first = deploy(ScriptFlow, tags=["t"], name="from-a-class")
    second = deploy(parameter_flow, decorators=["retry"])
    third = deploy(parameter_flow.ParameterFlow, max_workers=3)
    found["names"] = [each.name for each in (first, second, third)]
    run = first.trigger({"alpha": 0.75}, tags=["u"])
    run.wait()
    found["run"] = [run.status, run.is_running, run.run["end"].task.data.alpha]
    found["pathspec"] = run.pathspec == run.run.pathspec
    found["tags"] = sorted(run.run.user_tags)
    found["versions"] = [run.version, *went_back(third)]
    found["steps"] = [step.name for step in Run(run.id).steps]
    found["found"] = [Deployment.find("from-a-class").flow, len(first.runs), first.owner]
    found["namespace"] = first.namespace == f"production:{first.production_token}"
    found["tree"] = str(run).splitlines()[1:]
    found["about"] = [line.split() for line in str(first).splitlines()]
    template = translate("schedule_flow.py")
    found["template"] = [template.to_dict()["kind"], [each.name for each in template.companions],
                         template.to_yaml().count('\\nkind: '), template._repr_html_().count("<details>")]
    settings = {"project": "p", "parameters": {}, "odd": ""}
    configs = {"config": {"file": "config_flow.json"}, "config_value": {"settings": settings}}
    found["configured"] = translate("config_flow.py", **configs, production=True).name
    calls = {
        "no file": lambda: deploy("absent.py"),
        "no flow": lambda: deploy(3),
        "option": lambda: deploy("parameter_flow.py", max_worker=3),
        "value": lambda: first.trigger(alpha="x"),
        "unknown": lambda: first.trigger(beta=1),
        "late": lambda: first.trigger().wait(timeout=0),
        "absent": lambda: Run("argo-absent-1").status,
        "broken": lambda: deploy("broken_flow.py"),
        "round in circles": lambda: deploy("deploying_flow.py"),
        "dying": lambda: deploy("dying_flow.py"),
        "gone": lambda: (first.delete(), first.trigger()),
        "no deployment": lambda: Deployment.find("absent"),
        "no step": lambda: list(run.logs("middle")),
        "value of an option": lambda: deploy("parameter_flow.py", max_workers=0),
        "no server": lambda: at({"ARGO_SERVER": "://"}, lambda: Deployment.find("parameterflow")),
        "no answer": lambda: at({"ARGO_SERVER": "127.0.0.1:9"}, lambda: Deployment.find("parameterflow")),
        "somebody else's": lambda: at(ANN, lambda: deploy("parameter_flow.py")),
    }
    for name, call in calls.items():
        try:
            call()
        except (MetaflowHeraError, TimeoutError) as error:
            found[name] = f"{type(error).__name__}: {error}"
    print("FOUND" + json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
"""


def test_a_script_within_an_event_loop(mfhera: Mfhera) -> None:
    mfhera.take("schedule_flow.py", "config_flow.py", "config_flow.json", "config_flow.txt")
    mfhera.take(EXAMPLES / "parameter_flow.py")
    (mfhera.folder / "script.py").write_text(SCRIPT)
    (mfhera.folder / "broken_flow.py").write_text("1 / 0")
    (mfhera.folder / "deploying_flow.py").write_text(
        "from metaflow_hera import deploy\ndeploy('deploying_flow.py')"
    )
    (mfhera.folder / "dying_flow.py").write_text("import os\nos._exit(7)")
    done = mfhera.python("script.py")
    assert done.returncode == 0, done.stderr
    printed, found = done.stdout.split("FOUND")
    assert printed == "printed by the script\n"
    about = json.loads(found)
    assert about["names"] == ["from-a-class", "parameterflow", "parameterflow"]
    assert about["run"] == ["Succeeded", False, 0.75]
    assert about["pathspec"] is True
    assert about["tags"] == ["t", "u", "version:1"]
    assert about["versions"] == [1, [[3, True], [2, False], [1, False]], 3, "again"]
    assert about["steps"] == ["start", "end"]
    assert about["found"] == ["ScriptFlow", 1, "tester"]
    assert about["namespace"] is True
    assert [line.split()[2:4] for line in about["tree"]] == [["start", "Succeeded"], ["end", "Succeeded"]]
    assert ["parameters", "alpha:", "float", "=", "0.01"] in about["about"]
    assert about["template"] == ["WorkflowTemplate", ["scheduleflow"], 2, 1]
    assert about["configured"] == "p.prod.configflow"
    assert about["no file"].startswith("FlowError: There is no file absent.py")
    assert about["no flow"].startswith("FlowError: 3 is not a flow")
    assert about["option"] == "OptionError: There is no option max_worker; did you mean max_workers?"
    assert about["value"] == "ParameterError: Parameter 'alpha' must be a float, not 'x'."
    assert about["unknown"].startswith("ParameterError: There is no Parameter 'beta'")
    assert about["late"].startswith("TimeoutError: ")
    assert about["absent"].startswith("ArgoNotFound: ")
    assert about["broken"].startswith("FlowError: broken_flow.py cannot be imported: ZeroDivisionError")
    assert about["round in circles"].startswith("UsageError: A flow's script deploys while it is loaded")
    assert about["dying"] == "FlowError: The flow cannot be loaded: its process ended with exit code 7."
    assert about["gone"].startswith("NotFoundError: There is no deployment from-a-class")
    assert about["no deployment"].startswith("NotFoundError: There is no deployment absent")
    assert about["no step"].startswith("NotFoundError: ")
    assert "has no step middle" in about["no step"]
    assert about["value of an option"].startswith("OptionError: --max-workers 0 is not valid")
    assert about["no server"].startswith("ConfigurationError: ARGO_SERVER is")
    assert about["no answer"].startswith("ArgoUnreachable: ")
    assert about["somebody else's"].startswith("NotYoursError: parameterflow was deployed by tester")


def test_importing_it_imports_neither_hera_nor_metaflow() -> None:
    code = "import sys, metaflow_hera; print({'hera', 'metaflow', 'rich', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_hera_can_be_imported_after_metaflow_and_typing_extensions() -> None:
    """As in a notebook's kernel, where typing_extensions comes first."""
    code = (
        "import typing_extensions, metaflow; from metaflow_hera import translate; print(translate.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "translate\n"
