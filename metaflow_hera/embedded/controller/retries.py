"""Retries: a node of type Retry over the attempts (processNodeRetries in Argo's operator.go)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from metaflow_hera.embedded.controller.execution import Call, CallError, Execution, inputs_of
from metaflow_hera.embedded.controller.nodes import FULFILLED, UNSUCCESSFUL, fulfilled
from metaflow_hera.embedded.controller.parameters import fill
from metaflow_hera.embedded.expressions.gojson import any_string
from metaflow_hera.embedded.expressions.language import (
    ExpressionError,
    Missing,
    compile_expression,
    format_float,
)
from metaflow_hera.embedded.expressions.variables import SubstitutionError
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.kubernetes_time import seconds
from metaflow_hera.embedded.templates import pod_container

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h|d)")
_TRANSIENT = re.compile(
    r"i/o timeout|connection timed out|connection reset by peer|transport error|"
    r"use of closed network connection|http2: client connection lost|TLS handshake timeout",
    re.IGNORECASE,
)


BETWEEN = 1.0
"""Seconds between an attempt that is over as soon as it is begun and the next one.

Argo's controller takes them one by one, and there may be no end to them.
"""
LONGEST = 2**63 / 1e9
"""Seconds: Go counts a duration in nanoseconds, in 64 bits."""


def parse_duration(text: str) -> float:
    """Seconds of a duration: `90`, `1m30s`, `2h` (ParseStringToDuration). Raises ValueError in Go's words."""
    if re.fullmatch(r"[+-]?\d+", text):
        return float(text)
    if not re.fullmatch(f"(?:{_DURATION.pattern})+", text):
        raise ValueError(f'unable to parse {text} as a duration: time: invalid duration "{text}"')
    total = 0.0
    for part in _DURATION.findall(text):
        digits = re.match(r"[\d.]+", part)
        assert digits is not None
        total += float(digits.group()) * _UNITS[part[digits.end() :]]
    return total


def humanize(duration: float) -> str:
    """A duration in words, as in Argo's messages."""
    whole = int(duration)
    for size, name, small, small_name in (
        (86400, "days", 3600, "hours"),
        (3600, "hours", 60, "minutes"),
        (60, "minutes", 1, "seconds"),
    ):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // small} {small_name}"
    return f"{whole} seconds"


class RetryFrame:
    """The attempts of one node. `template` is filled except for what differs between attempts."""

    __slots__ = (
        "begun",
        "call",
        "deadline",
        "node",
        "path",
        "run",
        "started",
        "strategy",
        "template",
        "waiting",
    )

    def __init__(self, run: Execution, call: Call, template: JSON, strategy: JSON, node: JSON) -> None:
        self.run = run
        self.call = call
        self.template = template
        self.strategy = strategy
        self.node = node
        self.path = (*call.path, 0)
        self.deadline: float | None = None
        self.waiting = False
        self.started = False
        self.begun = -1

    @classmethod
    def start(cls, run: Execution, call: Call, template: JSON, strategy: JSON, node: JSON | None) -> JSON:
        """Create the Retry node, or continue it, with its first attempt or the one under way."""
        if node is None:
            node = run.create(call, "Retry", "Running", inputs=inputs_of(template))
            if call.flag:
                # Argo shares one flag between an exit handler's node and its attempts.
                node["nodeFlag"]["retried"] = True
        frame = run.frames[node["id"]] = cls(run, call, template, strategy, node)
        frame.step()
        # From here on the owner is told of the end; it sees for itself an end that came at once.
        frame.started = True
        return node

    def attempts(self) -> list[JSON]:
        """The nodes of the attempts so far."""
        by_id = self.run.nodes.by_id
        return [by_id[key] for key in self.node.get("children", ()) if key in by_id]

    def give_up(self, reason: str) -> None:
        """Fail: no attempt is under way, and the workflow is to end."""
        attempts = self.attempts()
        self._finish(attempts[-1] if attempts else {}, "Failed", reason)

    def ended(self, key: int, node: JSON) -> None:
        """An attempt is over."""
        self.run.stir(self)

    def go_on(self, call: Call) -> None:
        """An attempt waits for nothing: the node of them all has the locks."""

    def step(self) -> None:
        """Judge the last attempt; finish, wait, or start the next one."""
        self.waiting = False
        if fulfilled(self.node):
            return
        attempts = self.attempts()
        last = attempts[-1] if attempts else None
        if last is not None and not fulfilled(last):
            if last["phase"] not in FULFILLED:
                self._attempt(len(attempts) - 1, attempts[:-1], last)
            return
        if self.run.held:
            return
        if last is not None:
            try:
                verdict = self._judge(attempts, last)
            except (ValueError, ExpressionError, Missing) as error:
                verdict = ("Error", self.call.complaint(str(error)))
            if verdict is not None:
                self._finish(last, *verdict)
                return
            if self.waiting:
                return
            if self.begun == self.run.turn:
                self.begun = -1
                self.run.at(self.run.now + BETWEEN, lambda: self.run.stir(self))
                return
        if self.run.is_full() and last is not None:
            self.run.wait_for_room(self)
            return
        self._attempt(len(attempts), attempts, None)

    def _finish(self, last: JSON, phase: str, message: str | None) -> None:
        if "outputs" in last:
            self.node["outputs"] = last["outputs"]
        self.run.nodes.mark(self.node, phase, message)
        self.run.forget(self, self.node)
        if self.started:
            self.run.tell(self.call.owner, self.call.key, self.node)

    def _judge(self, attempts: list[JSON], last: JSON) -> tuple[str, str | None] | None:
        """The phase and message to end with, or None to continue; sets `waiting` for a backoff."""
        phase = last["phase"]
        if phase not in UNSUCCESSFUL:
            return "Succeeded", None
        run = self.run
        if run.shutdown:
            return phase, f"Stopped with strategy '{run.shutdown}'"
        if run.deadline is not None and run.now >= run.deadline:
            moment = datetime.fromtimestamp(run.deadline, timezone.utc)
            return phase, f"retry exceeded workflow deadline {moment:%Y-%m-%d %H:%M:%S} +0000 UTC"
        backoff = self.strategy.get("backoff")
        if backoff:
            message = self._back_off(backoff, attempts, last)
            if message is not None:
                return phase, message
            if self.waiting:
                return None
            if "message" in self.node:
                run.nodes.mark(self.node, self.node["phase"], "")
        if not self._policy_allows(last):
            return phase, last.get("message", "")
        limit = self._limit()
        if limit is not None and len(attempts) > limit:
            return phase, "No more retries left"
        if self.strategy.get("expression") and not self._expression(attempts, last):
            return phase, "retryStrategy.expression evaluated to false"
        return None

    def _limit(self) -> int | None:
        limit = self.strategy.get("limit")
        if limit in (None, ""):
            return None
        try:
            return int(str(limit))
        except ValueError as error:
            raise ValueError(f'strconv.ParseInt: parsing "{limit}": invalid syntax') from error

    def _back_off(self, backoff: JSON, attempts: list[JSON], last: JSON) -> str | None:
        now = self.run.now
        most: float | None = None
        if backoff.get("maxDuration"):
            most = seconds(attempts[0]["startedAt"]) + parse_duration(str(backoff["maxDuration"]))
            if now > most:
                return "Max duration limit exceeded"
        if not backoff.get("duration"):
            raise ValueError("no base duration specified for retryStrategy")
        wait = parse_duration(str(backoff["duration"]))
        factor = any_string(backoff.get("factor"))
        if factor and int(factor) > 0:
            wait = _times(wait, int(factor), len(attempts) - 1)
        if backoff.get("cap"):
            wait = min(wait, parse_duration(str(backoff["cap"])))
        until = seconds(last["finishedAt"]) + wait
        if most is not None and until > most:
            return "Backoff would exceed max duration limit"
        limit = self._limit()
        if now < until and limit is not None and len(attempts) <= limit:
            self.waiting = True
            self.run.at(until, lambda: self.run.stir(self))
            self.run.nodes.mark(self.node, self.node["phase"], f"Backoff for {humanize(wait)}")
        self.deadline = most
        return None

    def _policy_allows(self, last: JSON) -> bool:
        policy = self.strategy.get("retryPolicy") or (
            "Always" if self.strategy.get("expression") else "OnFailure"
        )
        if policy == "OnTransientError":
            return _TRANSIENT.search(last.get("message", "")) is not None
        allowed = {"Always": UNSUCCESSFUL, "OnError": {"Error"}, "OnFailure": {"Failed"}}
        if policy not in allowed:
            raise ValueError(f"{policy} is not a valid RetryPolicy")
        return last["phase"] in allowed[policy]

    def _expression(self, attempts: list[JSON], last: JSON) -> bool:
        values = {"retries": str(len(attempts) - 1), **_last_retry(last, "-1")}

        def lookup(path: Sequence[str]) -> Any:
            name = ".".join(path)
            if name not in values:
                raise ExpressionError(f"unknown name {path[0]}")
            return values[name]

        result = compile_expression(self.strategy["expression"])(lookup)
        if not isinstance(result, bool):
            raise ExpressionError(f"unable to cast expression result '{result}' to bool")
        return result

    def _attempt(self, number: int, before: list[JSON], node: JSON | None) -> None:
        """Start attempt `number` (from 0), or continue with its node."""
        self.begun = self.run.turn
        run, call = self.run, self.call
        name = f"{call.name}({number})"
        local = {"retries": str(number), **_last_retry(before[-1] if before else None, "0")}
        if pod_container(self.template) is not None:
            local["pod.name"] = run.pod_name(name, call.template)
        attempt = Call(
            name,
            call.template,
            call.arguments,
            self,
            number,
            self.path,
            call.depth,
            call.boundary,
            call.task,
            call.on_exit,
            {**(call.flag or {}), "retried": True},
            deadline=self.deadline,
        )
        run.nodes.link(self.node, name)
        values = run.globals.values
        try:
            template = fill(self.template, lambda tag: local[tag] if tag in local else values.get(tag))
        except SubstitutionError as error:
            failed = run.create(attempt, "Skipped", "Error", str(error))
            self.ended(number, failed)
            return
        try:
            started = run.launch(attempt, template, node)
        except CallError:
            found = run.nodes.find(name)
            assert found is not None
            started = found
        if fulfilled(started):
            self.ended(number, started)


def _times(wait: float, factor: int, power: int) -> float:
    """`wait * factor ** power`, at most what a duration of Go's can hold."""
    try:
        return min(wait * float(factor) ** power, LONGEST)
    except OverflowError:
        return LONGEST


def _last_retry(last: JSON | None, exit_code: str) -> dict[str, str]:
    """`lastRetry.*` (buildRetryStrategyLocalScope); `exit_code` stands in for one that is unknown."""
    node = last or {}
    duration = 0.0
    if node.get("finishedAt"):
        duration = seconds(node["finishedAt"]) - seconds(node["startedAt"])
    return {
        "lastRetry.exitCode": (node.get("outputs") or {}).get("exitCode", exit_code),
        "lastRetry.status": node.get("phase", ""),
        "lastRetry.duration": format_float(duration),
        "lastRetry.message": node.get("message", ""),
    }
