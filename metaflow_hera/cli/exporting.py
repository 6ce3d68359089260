"""Writing what `create` would deploy: to stdout, to a file, to a folder of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera.errors import ConfigurationError, OptionError, UsageError

if TYPE_CHECKING:
    from metaflow_hera.operations.deployment import Created, Prepared

EXPORTED = (".yaml", ".yml", ".json")
"""The suffixes of the files that an export may hold."""


@dataclass(frozen=True)
class ExportOptions:
    """What to do with the objects in place of deploying them: the options of `choices.verbs.EXPORT`.

    Raises OptionError for options that cannot be used together.
    """

    only_json: bool
    only_yaml: bool
    only_python: bool
    output: str | None
    dry_run: bool
    real_token: bool

    def __post_init__(self) -> None:
        forms = self._forms()
        if len(forms) > 1:
            raise OptionError(f"--only-{forms[0]} and --only-{forms[1]} cannot be used together: choose one.")
        for option, is_given in (("--output", self.output is not None), ("--real-token", self.real_token)):
            if is_given and not forms:
                raise OptionError(f"{option} needs --only-json, --only-yaml or --only-python.")

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> ExportOptions:
        """The options among all that a command was given; the others stay there."""
        return cls(**{field.name: given.pop(field.name) for field in fields(cls)})

    @property
    def form(self) -> str | None:
        """The form to write the objects in: json, yaml or python; None if they are not to be written."""
        return next(iter(self._forms()), None)

    def _forms(self) -> list[str]:
        asked = {"json": self.only_json, "yaml": self.only_yaml, "python": self.only_python}
        return [form for form, is_asked in asked.items() if is_asked]


def write_export(prepared: Prepared, form: str, options: ExportOptions) -> Created:
    """Write what would be deployed to a file, to a folder with a file for each object, or to stdout."""
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import configured_target, resolve_target
    from metaflow_hera.operations import deployment
    from metaflow_hera.translation import writing

    target = configured_target()
    client = ArgoClient(resolve_target(start=False)) if options.real_token else None
    made = deployment.export(prepared, target, client)
    if target is None:
        click.echo(
            "Written for the embedded Argo, with this machine's Python and folders; "
            "set ARGO_SERVER to write what a cluster gets.",
            err=True,
        )
    for warning in made.objects.warnings():
        click.echo(warning, err=True)
    objects = [writing.as_json(item) for item in made.objects.objects]
    output = options.output
    if output is not None and (output.endswith("/") or Path(output).is_dir()):
        _write_folder(objects, form, Path(output))
    else:
        text = writing.FORMS[form](objects).rstrip("\n") + "\n"
        if output is None:
            click.echo(text, nl=False)
        else:
            _write(Path(output), text)
    accounts = ", ".join(writing.service_accounts(objects))
    if accounts and target is not None:
        click.echo(f"It needs the service accounts {accounts}.", err=True)
    return made


def read_export(source: str) -> list[dict[str, Any]]:
    """The objects of an export, a file or a folder of files. Raises UsageError for what is none."""
    from metaflow_hera.translation import writing

    path = Path(source)
    files = sorted(each for each in path.iterdir() if each.suffix in EXPORTED) if path.is_dir() else [path]
    objects = []
    for file in files:
        try:
            objects += writing.read(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read: {error}.") from error
        except UsageError as error:
            raise type(error)(f"{file}: {error}") from error
    return objects


def _write_folder(objects: Sequence[dict[str, Any]], form: str, folder: Path) -> None:
    from metaflow_hera.translation import writing

    if form == "python":
        raise OptionError("--only-python writes one script: name a file with --output.")
    texts = {
        writing.file_name(item, form): writing.FORMS[form]([item]).rstrip("\n") + "\n" for item in objects
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be created: {error.strerror}.") from error
    for name, text in texts.items():
        _write(folder / name, text)
    deployment = objects[0]["metadata"]["name"]
    for path in sorted(folder.iterdir()):
        if path.suffix in EXPORTED and path.name not in texts and writing.belongs_to(path, deployment):
            click.echo(
                f"{path} belongs to an older version of {deployment} and not to this one: delete it.",
                err=True,
            )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {path}.", err=True)
