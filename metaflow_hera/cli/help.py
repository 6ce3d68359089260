"""The help of a verb: its own options, Metaflow's in a section of their own, and examples."""

from __future__ import annotations

from typing import Any

import click


class MetaflowOption(click.Option):
    """One of Metaflow's own options, which are passed to Metaflow as they are."""


class Suggesting(click.Command):
    """A command that says what may be meant by an option that it does not have."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            from metaflow_hera.cli.suggestions import no_such_option

            raise no_such_option(error, self, given) from error


class Verb(Suggesting):
    """A command whose help ends with examples, each on a line as a user types it."""

    def __init__(self, *arguments: Any, examples: tuple[str, ...] = (), **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.examples = examples

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
