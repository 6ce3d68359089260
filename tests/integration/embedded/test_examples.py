"""Workflows of the kinds that Argo's own examples show, written for this test, on a server with real pods."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import pytest

from .conftest import Argo

JSON = dict[str, Any]


def parameters(**values: Any) -> JSON:
    return {
        "parameters": [{"name": name.replace("_", "-"), "value": value} for name, value in values.items()]
    }


def call(name: str, template: str, rest: JSON | None = None, **arguments: Any) -> JSON:
    """A task or a step."""
    given = {"arguments": parameters(**arguments)} if arguments else {}
    return {"name": name, "template": template, **given, **(rest or {})}


def shell(name: str, source: str, inputs: tuple[str, ...] = (), **rest: Any) -> JSON:
    """A script template."""
    asked = {"inputs": {"parameters": [{"name": each} for each in inputs]}} if inputs else {}
    return {"name": name, **asked, "script": {"image": "alpine", "command": ["sh"], "source": source}, **rest}


def steps(name: str, *groups: list[JSON], **rest: Any) -> JSON:
    return {"name": name, "steps": list(groups), **rest}


def dag(name: str, *tasks: JSON, **rest: Any) -> JSON:
    return {"name": name, "dag": {"tasks": list(tasks)}, **rest}


def spec(*templates: JSON, **rest: Any) -> JSON:
    """A workflow that begins with its first template."""
    return {"entrypoint": templates[0]["name"], "templates": list(templates), **rest}


SAY = shell("say", "echo '{{inputs.parameters.text}}'", ("text",))
ECHO: JSON = {
    "name": "echo",
    "inputs": {"parameters": [{"name": "text"}]},
    "container": {"image": "busybox", "command": ["echo"], "args": ["{{inputs.parameters.text}}"]},
}


class Run:
    """A workflow that is over."""

    def __init__(self, argo: Argo, given: JSON) -> None:
        self.name = argo.run(given)
        self._read(argo.end(self.name))

    def _read(self, workflow: Any) -> None:
        self.phase = workflow["status"]["phase"]
        self.nodes = {node["name"]: node for node in workflow["status"]["nodes"].values()}
        self.shown = {node["displayName"]: node["phase"] for node in self.nodes.values()}

    def node(self, place: str) -> Any:
        return self.nodes[self.name + place]

    def result(self, place: str) -> Any:
        return self.node(place)["outputs"]["result"]

    def output(self, place: str) -> Any:
        return self.node(place)["outputs"]["parameters"][0]["value"]


# dag-diamond, dag-nested, dag-conditional, dag-targets.


def test_a_diamond(argo: Argo) -> None:
    tasks = [
        call("A", "echo", text="A"),
        call("B", "echo", {"depends": "A"}, text="B"),
        call("C", "echo", {"depends": "A"}, text="C"),
        call("D", "echo", {"depends": "B && C"}, text="D"),
    ]
    run = Run(argo, spec(dag("diamond", *tasks), ECHO))
    assert run.phase == "Succeeded"
    assert {run.node(f".{name}")["phase"] for name in "ABCD"} == {"Succeeded"}
    assert run.node(".B")["children"] == run.node(".C")["children"] == [run.node(".D")["id"]]
    assert sorted(argo.logs(run.name)) == ["A", "B", "C", "D"]


def test_a_diamond_of_diamonds(argo: Argo) -> None:
    inner = dag(
        "inner",
        call("A", "echo", text="{{inputs.parameters.text}}"),
        call("B", "echo", {"depends": "A"}, text="{{inputs.parameters.text}}"),
        inputs={"parameters": [{"name": "text"}]},
    )
    outer = dag("outer", call("X", "inner", text="x"), call("Y", "inner", {"depends": "X"}, text="y"))
    run = Run(argo, spec(outer, inner, ECHO))
    assert run.node(".X.B")["children"] == [run.node(".Y")["id"]]
    assert run.node("")["outboundNodes"] == [run.node(".Y.B")["id"]]


@pytest.mark.parametrize(("side", "other"), [("even", "odd"), ("odd", "even")])
def test_a_dag_with_a_condition(argo: Argo, side: str, other: str) -> None:
    tasks = [
        call("choose", "say", text=side),
        *(
            call(
                each,
                "echo",
                {"depends": "choose", "when": f"'{{{{tasks.choose.outputs.result}}}}' == {each}"},
                text="x",
            )
            for each in ("even", "odd")
        ),
        call("after", "echo", {"depends": "even.Succeeded || odd.Succeeded"}, text="x"),
        call("never", "echo", {"depends": f"{other}.Succeeded"}, text="x"),
    ]
    run = Run(argo, spec(dag("main", *tasks), SAY, ECHO))
    assert run.shown == {run.name: "Succeeded", "choose": "Succeeded", side: "Succeeded", other: "Skipped",
                         "after": "Succeeded", "never": "Omitted"}  # fmt: skip


def test_a_dag_with_a_target(argo: Argo) -> None:
    main = dag(
        "main",
        call("a", "echo", text="a"),
        call("b", "echo", {"depends": "a"}, text="b"),
        call("c", "echo", text="c"),
    )
    main["dag"]["target"] = "b"
    run = Run(argo, spec(main, ECHO))
    assert sorted(run.shown) == sorted([run.name, "a", "b"])


# hello-world, steps, arguments-parameters, global-parameters, output-parameter, parameter-aggregation.


def test_steps_one_after_the_other(argo: Argo) -> None:
    run = Run(
        argo,
        spec(
            steps(
                "main",
                [call("one", "echo", text="1")],
                [call("two-a", "echo", text="2"), call("two-b", "echo", text="2")],
            ),
            ECHO,
        ),
    )
    assert run.shown == {run.name: "Succeeded", "[0]": "Succeeded", "one": "Succeeded", "[1]": "Succeeded",
                         "two-a": "Succeeded", "two-b": "Succeeded"}  # fmt: skip
    assert argo.logs(run.name) == ["1", "2", "2"]


def test_parameters_of_the_workflow(argo: Argo) -> None:
    everywhere = {
        "name": "everywhere",
        "container": {
            "image": "x",
            "command": ["echo"],
            "args": ["{{workflow.parameters.level}} {{workflow.name}}"],
        },
    }
    given = spec(everywhere, arguments=parameters(level="high"))
    run = Run(argo, given)
    assert argo.logs(run.name) == [f"high {run.name}"]


def test_an_output_parameter_goes_on(argo: Argo) -> None:
    write = {
        "name": "write",
        "container": {
            "image": "x",
            "command": ["sh", "-c"],
            "args": ["sleep 0.1; printf 'out of a file' > /tmp/note.txt"],
        },
        "outputs": {
            "parameters": [{"name": "note", "valueFrom": {"path": "/tmp/note.txt", "default": "none"}}]
        },
    }
    main = steps(
        "main", [call("w", "write")], [call("r", "echo", text="{{steps.w.outputs.parameters.note}}")]
    )
    run = Run(argo, spec(main, write, ECHO))
    assert run.output("[0].w") == "out of a file"
    assert argo.logs(run.name) == ["out of a file"]


def test_parameters_of_a_task_group_come_together(argo: Argo) -> None:
    double = shell(
        "double",
        "echo $(({{inputs.parameters.n}} * 2)) > /tmp/twice",
        ("n",),
        outputs={"parameters": [{"name": "twice", "valueFrom": {"path": "/tmp/twice"}}]},
    )
    main = dag(
        "main",
        call("each", "double", {"withItems": [1, 2, 3]}, n="{{item}}"),
        call("all", "say", {"depends": "each"}, text="{{tasks.each.outputs.parameters.twice}}"),
        call(
            "again",
            "double",
            {"depends": "each", "withParam": "{{tasks.each.outputs.parameters.twice}}"},
            n="{{item}}",
        ),
        call("show", "echo", {"depends": "all"}, text="{{tasks.all.outputs.result}}"),
    )
    run = Run(argo, spec(main, double, SAY, ECHO))
    assert json.loads(run.result(".all")) == ["2", "4", "6"]
    assert {run.output(f".again({i}:{n})") for i, n in enumerate((2, 4, 6))} == {"4", "8", "12"}


def test_outputs_of_scripts(argo: Argo) -> None:
    make = {
        "name": "make",
        "script": {
            "image": "python",
            "command": ["python3"],
            "source": "import json\nprint(json.dumps([n * n for n in range(4)]))\n",
        },
    }
    main = steps(
        "main",
        [call("make", "make")],
        [call("each", "say", {"withParam": "{{steps.make.outputs.result}}"}, text="{{item}}")],
        [call("all", "echo", text="{{steps.each.outputs.result}}")],
    )
    run = Run(argo, spec(main, make, SAY, ECHO))
    assert run.result("[0].make") == "[0, 1, 4, 9]"
    assert [run.result(f"[1].each({i}:{n})") for i, n in enumerate((0, 1, 4, 9))] == ["0", "1", "4", "9"]
    assert argo.logs(run.name)[-1] == "[0,1,4,9]"


def test_what_a_result_is(argo: Argo) -> None:
    # Standard output alone, without one newline at the end; the log has both.
    two = shell("two", "echo one; echo two >&2; printf 'three\n\n'")
    main = steps("main", [call("a", "two")], [call("b", "echo", text="{{steps.a.outputs.result}}")])
    run = Run(argo, spec(main, two, ECHO))
    assert run.result("[0].a") == "one\nthree\n"
    assert "two" in argo.logs(run.name)
    big = shell("two", "head -c 300000 /dev/zero | tr '\\0' x; echo end")
    run = Run(argo, spec(main, big, shell("echo", "true", ("text",))))
    assert len(run.result("[0].a")) == 262_144
    assert run.result("[0].a").endswith("xend")


# loops, loops-maps, loops-param-argument, loops-sequence, nested loops.


def test_loops(argo: Argo) -> None:
    main = steps(
        "main",
        [
            call("plain", "echo", {"withItems": ["hello", 2, True]}, text="{{item}}"),
            call(
                "maps",
                "echo",
                {"withItems": [{"os": "debian", "n": 12}, {"os": "alpine", "n": 3}]},
                text="{{item.os}} {{item.n}}",
            ),
            call("given", "echo", {"withParam": "{{workflow.parameters.list}}"}, text="{{item.x}}"),
            call("count", "echo", {"withSequence": {"count": "3", "format": "n%02d"}}, text="{{item}}"),
            call("down", "echo", {"withSequence": {"start": "2", "end": "0"}}, text="{{item}}"),
        ],
    )
    run = Run(argo, spec(main, ECHO, arguments=parameters(list='[{"x": "a"}, {"x": "b"}]')))
    assert set(run.shown) - {run.name, "[0]"} == {
        "plain(0:hello)", "plain(1:2)", "plain(2:true)", "maps(0:n:12,os:debian)", "maps(1:n:3,os:alpine)",
        "given(0:x:a)", "given(1:x:b)", "count(0:n00)", "count(1:n01)", "count(2:n02)", "down(0:2)",
        "down(1:1)", "down(2:0)",
    }  # fmt: skip
    assert sorted(argo.logs(run.name)) == sorted(
        ["hello", "2", "true", "debian 12", "alpine 3", "a", "b", "n00", "n01", "n02", "2", "1", "0"]
    )


# coinflip, coinflip-recursive, conditionals, conditional-parameters.


def test_recursion_until_it_is_heads(argo: Argo) -> None:
    flip = shell("flip", 'test "{{inputs.parameters.n}}" -lt 3 && echo tails || echo heads', ("n",))
    more = shell("more", "echo $(({{inputs.parameters.n}} + 1))", ("n",))
    coin = steps(
        "coin",
        [
            call("flip", "flip", n="{{inputs.parameters.n}}"),
            call("more", "more", n="{{inputs.parameters.n}}"),
        ],
        [
            call("heads", "echo", {"when": "{{steps.flip.outputs.result}} == heads"}, text="it was heads"),
            call(
                "tails",
                "coin",
                {"when": "{{steps.flip.outputs.result}} == tails"},
                n="{{steps.more.outputs.result}}",
            ),
        ],
        inputs={"parameters": [{"name": "n", "value": "1"}]},
    )
    run = Run(argo, spec(coin, flip, more, ECHO))
    assert run.phase == "Succeeded"
    assert run.node("[1].tails[1].tails[1].heads")["phase"] == "Succeeded"
    assert run.node("[1].tails[1].tails[1].tails")["phase"] == "Skipped"
    assert argo.logs(run.name)[-1] == "it was heads"


CONDITIONS = [
    ("{{workflow.parameters.s}} == yes", True), ("{{workflow.parameters.s}} != yes", False),
    ("{{workflow.parameters.n}} > 4", True), ("{{workflow.parameters.n}} >= 6", False),
    ("{{workflow.parameters.n}} == 5 && {{workflow.parameters.s}} == no", False),
    ("{{workflow.parameters.n}} == 6 || {{workflow.parameters.s}} == yes", True),
    ("({{workflow.parameters.n}} < 3 || {{workflow.parameters.n}} < 9) && true", True),
    ("!({{workflow.parameters.b}})", False), ("{{workflow.parameters.s}} =~ '^y'", True),
    ("'{{workflow.parameters.s}}' in ('yes', 'maybe')", True),
]  # fmt: skip


def test_conditions(argo: Argo) -> None:
    group = [call(f"c{i}", "echo", {"when": when}, text="x") for i, (when, _) in enumerate(CONDITIONS)]
    run = Run(argo, spec(steps("main", group), ECHO, arguments=parameters(s="yes", n="5", b="true")))
    assert [run.shown[f"c{i}"] for i in range(len(CONDITIONS))] == [
        "Succeeded" if holds else "Skipped" for _, holds in CONDITIONS
    ]


@pytest.mark.parametrize("side", ["heads", "tails"])
def test_an_output_that_depends_on_a_condition(argo: Argo, side: str) -> None:
    choice = "steps.flip.outputs.result == 'heads' ? steps.heads.outputs.result : steps.tails.outputs.result"
    main = steps(
        "main",
        [call("flip", "say", text=side)],
        [
            call(each, "say", {"when": f"{{{{steps.flip.outputs.result}}}} == {each}"}, text=f"it was {each}")
            for each in ("heads", "tails")
        ],
        outputs={"parameters": [{"name": "side", "valueFrom": {"expression": choice}}]},
    )
    assert Run(argo, spec(main, SAY)).output("") == f"it was {side}"


# retry-container, retry-backoff, retry-on-error, retry-conditional, retry-with-steps.


def flaky(source: str, **strategy: Any) -> JSON:
    return shell("flaky", source, retryStrategy=strategy)


def test_retries(argo: Argo) -> None:
    run = Run(argo, spec(flaky("test {{retries}} -ge 2", limit="10")))
    assert [run.node(f"({i})")["phase"] for i in range(3)] == ["Failed", "Failed", "Succeeded"]
    assert (run.node("")["type"], run.phase) == ("Retry", "Succeeded")


def test_retries_that_run_out(argo: Argo) -> None:
    run = Run(argo, spec(flaky("exit 7", limit=2)))
    assert (run.phase, run.node("")["message"]) == ("Failed", "No more retries left")
    assert run.node("")["outputs"]["exitCode"] == "7"


def test_retries_with_a_backoff(argo: Argo) -> None:
    began = time.monotonic()
    backoff = {"duration": "1", "factor": "2", "maxDuration": "1m"}
    run = Run(argo, spec(flaky("test {{retries}} -ge 2", limit=5, backoff=backoff)))
    assert run.phase == "Succeeded"
    assert time.monotonic() - began > 2


def test_a_failure_is_no_error(argo: Argo) -> None:
    run = Run(argo, spec(flaky("exit 1", limit=2, retryPolicy="OnError")))
    assert run.phase == "Failed"
    assert f"{run.name}(1)" not in run.nodes


@pytest.mark.parametrize(("code", "attempts"), [(2, 3), (3, 1)])
def test_retries_by_an_expression(argo: Argo, code: int, attempts: int) -> None:
    run = Run(argo, spec(flaky(f"exit {code}", limit=2, expression="asInt(lastRetry.exitCode) == 2")))
    assert len(run.nodes) - 1 == attempts
    assert run.phase == "Failed"


def test_a_step_with_retries(argo: Argo) -> None:
    main = steps("main", [call("try", "flaky")], [call("end", "echo", text="done")])
    run = Run(argo, spec(main, flaky("test {{retries}} -ge 1", limit=3), ECHO))
    assert run.node("[0].try(1)")["children"] == [run.node("[1]")["id"]]


# exit-handlers, exit-handler-with-conditions, suspend-template.


@pytest.mark.parametrize(("code", "ran", "skipped"), [(0, "celebrate", "cry"), (1, "cry", "celebrate")])
def test_an_exit_handler(argo: Argo, code: int, ran: str, skipped: str) -> None:
    handler = steps(
        "bye",
        [
            call("notify", "echo", text="{{workflow.name}} {{workflow.status}}"),
            call("celebrate", "echo", {"when": "{{workflow.status}} == Succeeded"}, text="hooray"),
            call("cry", "echo", {"when": "{{workflow.status}} != Succeeded"}, text="boohoo"),
        ],
    )
    run = Run(argo, spec(shell("main", f"exit {code}"), handler, ECHO, onExit="bye"))
    assert run.phase == ("Failed" if code else "Succeeded")
    assert run.node(f".onExit[0].{ran}")["phase"] == "Succeeded"
    assert run.node(f".onExit[0].{skipped}")["phase"] == "Skipped"
    assert f"{run.name} {run.phase}" in argo.logs(run.name)


def test_suspended_until_a_call_or_a_time(argo: Argo) -> None:
    main = steps(
        "main",
        [call("build", "echo", text="build")],
        [call("approve", "approve")],
        [call("delay", "delay")],
        [call("release", "echo", text="release")],
    )
    given = spec(
        main, {"name": "approve", "suspend": {}}, {"name": "delay", "suspend": {"duration": "1"}}, ECHO
    )
    name = argo.run(given)

    def waits(workflow: Any) -> bool:
        nodes = (workflow["status"].get("nodes") or {}).values()
        return any(node["displayName"] == "approve" and node["phase"] == "Running" for node in nodes)

    argo.until(name, waits)
    argo.call("PUT", f"/workflows/argo/{name}/resume", {})
    workflow = argo.end(name)
    assert workflow["status"]["phase"] == "Succeeded"
    times = {node["displayName"]: node for node in workflow["status"]["nodes"].values()}
    assert times["delay"]["type"] == "Suspend"
    assert times["release"]["startedAt"] > times["delay"]["startedAt"]
    assert argo.logs(name) == ["build", "release"]


# continue-on-fail, retry of a workflow, a stop.


def test_going_on_after_a_failure(argo: Argo) -> None:
    main = steps(
        "main", [call("bad", "bad", {"continueOn": {"failed": True}})], [call("good", "echo", text="x")]
    )
    run = Run(argo, spec(main, shell("bad", "exit 1"), ECHO))
    assert (run.phase, run.shown["bad"], run.shown["good"]) == ("Succeeded", "Failed", "Succeeded")


def test_steps_are_retried_from_where_they_failed(argo: Argo) -> None:
    check = shell("check", 'test "{{workflow.parameters.ok}}" = yes')
    main = steps("main", [call("a", "echo", text="a")], [call("b", "check")], [call("c", "echo", text="c")])
    run = Run(argo, spec(main, check, ECHO, arguments=parameters(ok="no")))
    assert run.phase == "Failed"
    first = run.node("[0].a")["startedAt"]
    argo.call("PUT", f"/workflows/argo/{run.name}/retry", {"parameters": ["ok=yes"]})
    run._read(argo.end(run.name))
    assert (run.phase, run.shown["c"], run.node("[0].a")["startedAt"]) == ("Succeeded", "Succeeded", first)


def test_a_script_that_is_stopped(argo: Argo) -> None:
    main = steps("main", [call("long", "long")], [call("after", "say", text="{{steps.long.outputs.result}}")])
    name = argo.run(spec(main, shell("long", "echo begun; exec sleep 60"), SAY))
    argo.wait(lambda: argo.logs(name) == ["begun"])
    argo.call("PUT", f"/workflows/argo/{name}/stop", {})
    status = argo.end(name)["status"]
    assert (status["phase"], status["message"]) == ("Failed", "Stopped with strategy 'Stop'")
    node = next(node for node in status["nodes"].values() if node["displayName"] == "long")
    assert node["outputs"]["result"] == "begun"


def test_a_script_that_is_killed_fails_as_it_would_without_a_result(argo: Argo) -> None:
    main = steps("main", [call("k", "k")], [call("after", "say", text="{{steps.k.outputs.result}}")])
    run = Run(argo, spec(main, shell("k", "echo x; kill -9 $$"), SAY))
    assert run.node("[0].k")["message"] == "main: Error (exit code 137)"
    assert run.node("[0].k")["outputs"] == {"result": "x", "exitCode": "137"}


def test_a_result_leaves_the_environment_as_it_is(argo: Argo) -> None:
    names = ["PS1", "IFS", "PWD", "a.b", "ENV", "PLAIN"]
    show = {
        "name": "show",
        "script": {
            "image": "python",
            "command": [sys.executable],
            "source": f"import json, os\nprint(json.dumps([os.environ.get(name) for name in {names}]))",
            "env": [{"name": name, "value": f"-{name}-"} for name in names],
        },
    }
    main = steps("main", [call("a", "show")], [call("b", "say", text="{{steps.a.outputs.result}}")])
    run = Run(argo, spec(main, show, SAY))
    assert json.loads(run.result("[0].a")) == [f"-{name}-" for name in names]
