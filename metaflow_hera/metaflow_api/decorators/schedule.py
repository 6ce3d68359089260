"""@schedule as Metaflow has it, but a flow may have several; each starts runs of its own."""

from __future__ import annotations

from metaflow.plugins.aws.step_functions import schedule_decorator


class ScheduleDecorator(schedule_decorator.ScheduleDecorator):  # type: ignore[misc]
    __doc__ = schedule_decorator.ScheduleDecorator.__doc__  # what help(schedule) shows

    allow_multiple = True
