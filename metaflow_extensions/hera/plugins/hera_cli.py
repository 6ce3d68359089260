"""`python flow.py hera VERB`: arguments only, with Metaflow's own copy of click; the output is `mfhera`'s.

A pod can import this module too, although it has neither Hera nor the commands of `mfhera`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflow import parameters
from metaflow._vendor import click

from metaflow_hera.choices import verbs
from metaflow_hera.choices.deployment import CreateOptions
from metaflow_hera.errors import MetaflowHeraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from metaflow_hera.argo.run import Run
    from metaflow_hera.cli.choosing import ChosenRun
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow
    from metaflow_hera.operations.control import Action


def shared(given: Sequence[verbs.ClickOption]) -> Callable[[Any], Any]:
    """Give a command the options that it shares with `mfhera`."""

    def give(command: Any) -> Any:
        for names, settings in reversed(given):
            command = click.option(*names, **settings)(command)
        return command

    return give


as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON, for a program to read.")
attribute_file = click.option(
    "--deployer-attribute-file",
    hidden=True,
    help="Write to that file what Metaflow's Deployer reads.",
)
run_id = click.argument("run-id", required=False, type=str)
"""A run; without it, the verb means the last one of the flow's deployment from this folder."""


class Trigger(click.Command):
    """A command whose options include a flow's Parameters.

    It notes which options were given, since Parameters have defaults too. Where a Parameter has the same name
    as an option of the command, the name means the Parameter.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """All options but those whose names a Parameter has; Parameters come first."""
        taken: set[str] = set()
        params = []
        for param in super().get_params(ctx):
            if taken.isdisjoint(param.opts):
                params.append(param)
            taken.update(param.opts)
        return params

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse the arguments, and note the names of the values that come from the user."""
        try:
            given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        except click.NoSuchOption as error:
            if error.option_name in ("--param", "-p"):
                ctx.fail("Here each Parameter is an option of its own: write --NAME VALUE.")
            raise
        ctx.meta["given"] = {
            param.name
            for param in self.get_params(ctx)
            if param.name in given or param.value_from_envvar(ctx)
        }
        return super().parse_args(ctx, args)


class Verbs(click.Group):
    """The verbs, which say what may be meant by another word."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The verb that was typed. Fails for an unknown one, with suggestions."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            from metaflow_hera.cli.suggestions import no_such_verb

            ctx.fail(no_such_verb(args, self.list_commands(ctx)))
        return super().resolve_command(ctx, args)


@click.group()
def cli() -> None:
    """The root group that Metaflow expects from a plugin."""


@cli.group(cls=Verbs, help="Commands related to Argo Workflows, through Hera.")
@shared(verbs.NAME)
@click.pass_obj
def hera(obj: Any, name: str | None = None) -> None:
    """All verbs."""
    obj.deployment_name = name


@hera.command(help="Deploy a new version of this flow to Argo Workflows.")
@shared(verbs.CREATE)
@shared(verbs.EXPORT)
@as_json
@attribute_file
@click.pass_obj
def create(
    obj: Any,
    as_json: bool,
    deployer_attribute_file: str | None,
    **given: Any,
) -> None:
    """Translate the flow and deploy it."""
    with _our_errors():
        from metaflow_hera.cli import exporting
        from metaflow_hera.cli.verbs.create import deploy
        from metaflow_hera.cli.verbs.lint import check
        from metaflow_hera.operations import deployment

        export = exporting.ExportOptions.taken_from(given)
        flow = _flow(obj)
        flow.lint()
        prepared = deployment.prepare(flow, CreateOptions(name=obj.deployment_name, **given))
        if export.form is not None:
            created = exporting.write_export(prepared, export.form, export)
            more = {"workflow_template": created.objects.template.to_dict()}
        elif export.dry_run:
            check(prepared, as_json)
            return
        else:
            command = f"python {shlex.quote(sys.argv[0])} hera"
            created = deploy(prepared, f"{command} create", f"{command} trigger", as_json)
            more = {}
        _leave(
            deployer_attribute_file,
            name=created.name,
            flow_name=created.flow,
            metadata=flow.metadata_place,
            additional_info=more,
        )


@hera.command(help="Show what create would change; exit with 1 if anything.")
@shared(verbs.DIFF)
@shared(verbs.CREATE)
@as_json
@attribute_file
@click.pass_obj
def diff(
    obj: Any,
    stat: bool,
    name_only: bool,
    source: str | None,
    version: int | None,
    as_json: bool,
    deployer_attribute_file: str | None,
    **given: Any,
) -> None:
    """Compare the flow with what is deployed."""
    with _our_errors():
        from metaflow_hera.cli.differences import View, show
        from metaflow_hera.cli.verbs.diff import Against, compared

        flow = _flow(obj)
        flow.lint()
        view = View(stat, name_only, as_json)
        options = CreateOptions(name=obj.deployment_name, **given)
        found = compared(flow, options, Against(source, version))
        if deployer_attribute_file is None:
            sys.exit(show(found, view))
        # A Deployer takes any other exit code than 0 for a failure.
        _leave(deployer_attribute_file, **dataclasses.asdict(found))


@parameters.add_custom_parameters(deploy_mode=False)
@hera.command(cls=Trigger, help="Start a run of the deployed version of this flow.")
@shared(verbs.TRIGGER)
@click.option("--json", "hera_json", is_flag=True, help="Write JSON, for a program to read.")
@attribute_file
@click.pass_context
def trigger(
    ctx: Any,
    tags: Sequence[str],
    run_id_file: str | None = None,
    hera_watch: bool = False,
    hera_wait: bool = False,
    hera_json: bool = False,
    deployer_attribute_file: str | None = None,
    **values: Any,
) -> None:
    """Start a run with the values of the Parameters that were given."""
    with _our_errors():
        from metaflow_hera.cli.following import Report
        from metaflow_hera.cli.verbs.trigger import Start, start
        from metaflow_hera.operations.belonging import name_of

        flow = _flow(ctx.obj)
        name = name_of(flow, ctx.obj.deployment_name)

        def started(run: Run) -> None:
            _leave(deployer_attribute_file, name=name, pathspec=run.pathspec, metadata=flow.metadata_place)

        given = flow.values_of({key: values[key] for key in values if key in ctx.meta["given"]})
        asked = Start(name, given, tags, run_id_file)
        start(asked, Report(hera_watch, hera_wait, hera_json), flow=flow, on_start=started)


@hera.command("list-runs", help="List the runs of this flow, the newest first.")
@as_json
@click.pass_obj
def list_runs(obj: Any, as_json: bool) -> None:
    """List the runs of the deployment."""
    with _our_errors():
        from metaflow_hera.cli.verbs.runs import show_runs
        from metaflow_hera.operations.belonging import name_of

        show_runs(name_of(_flow(obj), obj.deployment_name), as_json)


@hera.command(help="Show the deployed schedules of this flow and its next starts.")
@click.option("--count", "-n", type=int, default=5, show_default=True, help="How many starts to show.")
@as_json
@click.pass_obj
def schedule(obj: Any, count: int, as_json: bool) -> None:
    """Show the schedules of the deployment."""
    with _our_errors():
        from metaflow_hera.cli.verbs.schedule import show_schedule
        from metaflow_hera.operations.belonging import name_of

        show_schedule(name_of(_flow(obj), obj.deployment_name), count, as_json)


@hera.command(help="Start the runs of this flow that its schedule missed.")
@shared(verbs.BACKFILL)
@as_json
@attribute_file
@click.pass_obj
def backfill(obj: Any, as_json: bool, deployer_attribute_file: str | None, **chosen: Any) -> None:
    """Make up for times of the deployment's schedules that have no run."""
    with _our_errors():
        from metaflow_hera.cli.verbs.backfill import Asked, make_up
        from metaflow_hera.operations.belonging import name_of

        flow = _flow(obj)
        times = make_up(name_of(flow, obj.deployment_name), Asked(**chosen), as_json, flow=flow)
        found = [f"{flow.name}/{each.run_id}" for each in times if not each.is_absent]
        _leave(deployer_attribute_file, runs=found)


@hera.command(help="Check this flow without running it. With ARGO_SERVER set, Argo checks it too.")
@shared(verbs.CREATE)
@shared(verbs.LINT)
@as_json
@click.pass_obj
def lint(obj: Any, as_json: bool, argo_version: str | None, **given: Any) -> None:
    """Check the flow."""
    with _our_errors():
        from metaflow_hera.cli.verbs.lint import check
        from metaflow_hera.operations import deployment

        flow = _flow(obj)
        flow.lint()
        options = CreateOptions(name=obj.deployment_name, **given)
        check(deployment.prepare(flow, options), as_json, argo_version)


@hera.command(help="Show the steps of a run with their states.")
@click.option("--watch", is_flag=True, help="Show it until the run ends.")
@as_json
@run_id
@click.pass_obj
def status(obj: Any, run_id: str | None, watch: bool, as_json: bool) -> None:
    """Show a run."""
    with _our_errors():
        from metaflow_hera.cli.verbs.status import show_status

        show_status(_chosen(obj, run_id), watch, as_json)


@hera.command("open", help="Open a run, or the deployment, in the browser.")
@run_id
@click.pass_obj
def open_in_browser(obj: Any, run_id: str | None) -> None:
    """Open a run or the deployment."""
    with _our_errors():
        from metaflow_hera.cli.verbs.open import show_deployment, show_run
        from metaflow_hera.operations.belonging import name_of

        if run_id is None:
            show_deployment(name_of(_flow(obj), obj.deployment_name))
        else:
            show_run(run_id)


@hera.command(help="Start no more tasks of a run until it is unsuspended.")
@shared(verbs.AUTHORIZE)
@as_json
@run_id
@click.pass_obj
def suspend(obj: Any, run_id: str | None, authorize: str | None, as_json: bool) -> None:
    """Suspend a run."""
    _act(obj, run_id, "suspend", authorize, as_json)


@hera.command(help="Continue a suspended run.")
@shared(verbs.AUTHORIZE)
@as_json
@run_id
@click.pass_obj
def unsuspend(obj: Any, run_id: str | None, authorize: str | None, as_json: bool) -> None:
    """Resume a run."""
    _act(obj, run_id, "resume", authorize, as_json)


@hera.command(help="End a run and its tasks; its exit hooks still run.")
@shared(verbs.AUTHORIZE)
@as_json
@run_id
@click.pass_obj
def stop(obj: Any, run_id: str | None, authorize: str | None, as_json: bool) -> None:
    """Stop a run."""
    _act(obj, run_id, "stop", authorize, as_json)


@hera.command(help="End a run and its tasks at once.")
@shared(verbs.AUTHORIZE)
@as_json
@run_id
@click.pass_obj
def terminate(obj: Any, run_id: str | None, authorize: str | None, as_json: bool) -> None:
    """Terminate a run."""
    _act(obj, run_id, "terminate", authorize, as_json)


@hera.command(help="Continue a failed run from where it failed.")
@click.option(
    "--with-new-code", is_flag=True, help="Continue with this flow as it is now; its graph must be the same."
)
@shared(verbs.AUTHORIZE)
@shared(verbs.WATCH)
@as_json
@run_id
@click.pass_obj
def retry(
    obj: Any,
    run_id: str | None,
    with_new_code: bool,
    authorize: str | None,
    watch: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Retry a run."""
    with _our_errors():
        from metaflow_hera.cli.following import Report
        from metaflow_hera.cli.verbs.retry import go_on

        flow = _flow(obj)
        if with_new_code:
            flow.lint()
        new_code = flow if with_new_code else None
        chosen = _chosen(obj, run_id, changes=True)
        go_on(chosen, authorize, Report(watch, wait, as_json), flow=flow, new_code=new_code)


@hera.command(help="Start a new run with the parameters of another.")
@shared(verbs.AUTHORIZE)
@shared(verbs.RUN_ID_FILE)
@shared(verbs.WATCH)
@as_json
@run_id
@click.pass_obj
def resubmit(
    obj: Any,
    run_id: str | None,
    authorize: str | None,
    run_id_file: str | None,
    watch: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Resubmit a run."""
    with _our_errors():
        from metaflow_hera.cli.following import Report
        from metaflow_hera.cli.verbs.resubmit import start_again

        report = Report(watch, wait, as_json)
        start_again(_chosen(obj, run_id, changes=True), authorize, run_id_file, report, _flow(obj))


@hera.command(help="Show what the tasks of a run printed.")
@shared(verbs.LOGS)
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object for each line.")
@run_id
@click.argument("place", required=False)
@click.pass_obj
def logs(obj: Any, run_id: str | None, place: str | None, **how: Any) -> None:
    """Show logs."""
    with _our_errors():
        from metaflow_hera.cli.verbs.logs import LogOptions, show_logs

        options = LogOptions(**how)
        show_logs(_chosen(obj, run_id), place, options)


@hera.command(help="List the versions of this flow, and which one is live.")
@as_json
@click.pass_obj
def versions(obj: Any, as_json: bool) -> None:
    """Show the versions of the deployment."""
    with _our_errors():
        from metaflow_hera.cli.verbs.versions import show_versions
        from metaflow_hera.operations.belonging import name_of

        show_versions(name_of(_flow(obj), obj.deployment_name), as_json)


@hera.command(help="Make an earlier version of this flow live again.")
@shared(verbs.ROLLBACK)
@shared(verbs.AUTHORIZE)
@as_json
@click.pass_obj
def rollback(obj: Any, as_json: bool, **how: Any) -> None:
    """Go back to an earlier version."""
    with _our_errors():
        from metaflow_hera.cli.verbs.rollback import Asked, go_back
        from metaflow_hera.operations.belonging import name_of

        flow = _flow(obj)
        go_back(name_of(flow, obj.deployment_name), Asked(**how), as_json, flow)


@hera.command(help="Remove the deployment of this flow. Runs and results stay.")
@shared(verbs.AUTHORIZE)
@as_json
@click.pass_obj
def delete(obj: Any, authorize: str | None, as_json: bool) -> None:
    """Remove the deployment."""
    with _our_errors():
        from metaflow_hera.cli.verbs.delete import remove
        from metaflow_hera.operations.belonging import name_of

        flow = _flow(obj)
        remove(name_of(flow, obj.deployment_name), authorize, as_json, flow)


def _act(obj: Any, run_id: str | None, action: Action, authorize: str | None, as_json: bool) -> None:
    with _our_errors():
        from metaflow_hera.cli.acting import act

        act(_chosen(obj, run_id, changes=True), action, authorize, as_json, _flow(obj))


def _chosen(obj: Any, run_id: str | None, *, changes: bool = False) -> ChosenRun:
    from metaflow_hera.cli.choosing import chosen_run
    from metaflow_hera.operations.belonging import name_of

    name = None if run_id is not None else name_of(_flow(obj), obj.deployment_name)
    return chosen_run(run_id, name, changes=changes)


def _flow(obj: Any) -> LoadedFlow:
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow

    return LoadedFlow(Path(sys.argv[0]).absolute(), obj)


def _leave(file: str | None, **facts: Any) -> None:
    """Leave facts for Metaflow's Deployer, which waits for them on a pipe."""
    if file is not None:
        Path(file).write_text(json.dumps(facts), encoding="utf-8")


@contextlib.contextmanager
def _our_errors() -> Iterator[None]:
    """Reports this package's errors as `mfhera` does, and exits with the same code."""
    try:
        yield
    except ImportError as error:
        # A pod has only what its tasks need.
        click.echo(f"hera: {error}. To deploy from here: pip install metaflow_hera.", err=True)
        sys.exit(2)
    except MetaflowHeraError as error:
        click.echo(f"hera: {error}", err=True)
        sys.exit(error.exit_code)
