"""@schedule as Argo's cron expressions."""

from __future__ import annotations

from croniter import croniter

from metaflow_hera.errors import UnsupportedError


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
    if any(mark in weekday + day for mark in "LW#"):
        raise UnsupportedError(f"@schedule(cron={expression!r}): L, W and # are not supported.")
    result = " ".join([*others, day, month, weekday])
    if not croniter.is_valid(result):
        raise UnsupportedError(f"@schedule(cron={expression!r}) is not a cron expression.")
    return result
