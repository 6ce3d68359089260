"""The help of a verb: its own options, Metaflow's in a section of their own, and examples."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import click

CLOSE = 0.75
"""How much an unknown option must be like a known one for that to be named."""


class MetaflowOption(click.Option):
    """One of Metaflow's own options, which are passed to Metaflow as they are."""


class Verb(click.Command):
    """A command whose help ends with examples, each on a line as a user types it."""

    def __init__(self, *arguments: Any, examples: tuple[str, ...] = (), **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.examples = examples

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. An unknown option may be meant as a Parameter: say how to give one."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if not any("--param" in param.opts for param in self.params):
                raise
            name = error.option_name.lstrip("-").replace("-", "_")
            raise click.NoSuchOption(
                error.option_name,
                f"No such option {error.option_name!r}. A Parameter is given as --param {name}=VALUE.",
                get_close_matches(error.option_name, error.possibilities or (), cutoff=CLOSE),
                ctx,
            ) from error

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verb's own options, then Metaflow's."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        for title, is_metaflows in (("Options", False), ("Metaflow's options", True)):
            shown = [option for option in options if isinstance(option, MetaflowOption) == is_metaflows]
            records = [record for option in shown if (record := option.get_help_record(ctx))]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, unwrapped: a line cut in two cannot be copied."""
        with formatter.section("Examples" if len(self.examples) > 1 else "Example"):
            formatter.write("".join(f"  {example}\n" for example in self.examples))
