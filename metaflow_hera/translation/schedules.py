"""@schedule as Argo's cron expressions."""

from __future__ import annotations

import re

from croniter import croniter

from metaflow_hera.errors import UnsupportedError
from metaflow_hera.metaflow_api.flows import LoadedFlow

DAY_NAMES = re.compile("SUN|MON|TUE|WED|THU|FRI|SAT")


def check(flow: LoadedFlow) -> None:
    """Raise UnsupportedError for a @schedule that cannot be translated, or cannot start the flow."""
    if not flow.schedules:
        return
    for parameter in flow.parameters:
        if parameter.must_be_given:
            raise UnsupportedError(
                f"Parameter {parameter.name!r} is required and has no default, so no schedule can start the "
                "flow: give it a default, or take @schedule away."
            )
    if len(flow.schedules) > 1:
        raise UnsupportedError("More than one @schedule is not supported yet.")
    argo_schedule(flow.schedules[0][0])


def argo_schedule(expression: str) -> str:
    """Argo's five cron fields for the expression that @schedule holds.

    Metaflow writes AWS's six fields, the last one the year; five fields are Unix's. Raises
    UnsupportedError for what is not the same in both.
    """
    fields = expression.split()
    if len(fields) == 6 and fields.pop() != "*":
        raise UnsupportedError(f"@schedule(cron={expression!r}): a year other than * is not supported.")
    if len(fields) != 5:
        raise UnsupportedError(f"@schedule(cron={expression!r}) does not have five or six fields.")
    aws = "?" in fields or len(expression.split()) == 6
    *others, day, month, weekday = ("*" if part == "?" else part for part in fields)
    if aws and any(character.isdigit() for character in weekday):
        raise UnsupportedError(
            f"@schedule(cron={expression!r}): days of the week as numbers are not supported yet, since AWS "
            "counts them from 1 and Argo from 0. Write SUN, MON, ..."
        )
    if any(mark in DAY_NAMES.sub("", weekday.upper()) + day.upper() for mark in "LW#"):
        raise UnsupportedError(f"@schedule(cron={expression!r}): L, W and # are not supported.")
    result = " ".join([*others, day, month, weekday])
    if not croniter.is_valid(result):
        raise UnsupportedError(f"@schedule(cron={expression!r}) is not a cron expression.")
    return result
