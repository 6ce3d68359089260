"""Telling Slack, PagerDuty and incident.io how a run ended, with the standard library: a pod has no more.

Messages are those of Metaflow's own plugin, with the failed steps. Formats: https://api.slack.com/messaging/webhooks,
https://developer.pagerduty.com/docs/events-api-v2-overview, https://api-docs.incident.io
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metaflow_hera.contract.environment import ARGO_NAME, ARGO_NAMESPACE

SECONDS = 5.0
TRIES = 3
"""How long one try to reach a receiver may take, and how many there are."""
MOST_NAMED = 10
"""How many failed tasks a message names."""


@dataclass(frozen=True)
class Ending:
    """How a run has ended: Argo's status, and the failed tasks (step and task id, and why)."""

    flow: str
    run_id: str
    status: str
    failed: Sequence[tuple[str, str]] = ()

    @property
    def pathspec(self) -> str:
        """The run's pathspec in Metaflow."""
        return f"{self.flow}/{self.run_id}"

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.status == "Succeeded"

    @property
    def failed_steps(self) -> list[str]:
        """The names of the steps with a failed task."""
        return list(dict.fromkeys(task.partition("/")[0] for task, _ in self.failed))

    @property
    def details(self) -> list[str]:
        """A line for each failed task."""
        lines = [f"{task}: {why}" if why else task for task, why in self.failed[:MOST_NAMED]]
        more = len(self.failed) - MOST_NAMED
        return [*lines, *([f"and {more} more"] if more > 0 else [])]


@dataclass(frozen=True)
class Request:
    """A message to post: where to, with which headers, and its JSON. `receiver` is a name for people."""

    receiver: str
    url: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


def notify(places: Mapping[str, Any], ending: Ending) -> list[str]:
    """Notify all places; returns a sentence, without secrets, for each that could not be reached."""
    failures = []
    for request in requests(places, ending):
        why = _post(request)
        if why is None:
            print(f"Notified {request.receiver}.", flush=True)
        else:
            failures.append(f"{request.receiver} could not be notified: {why}")
    return failures


def requests(places: Mapping[str, Any], ending: Ending) -> Iterator[Request]:
    """The messages for all places."""
    pages = _pages(places["links"], ending)
    if "slack" in places:
        yield Request("Slack", places["slack"]["url"], {}, _slack(places["project"], pages, ending))
    if "pager_duty" in places:
        yield _pager_duty(places["pager_duty"], pages, ending)
    if "incident_io" in places:
        yield _incident_io(places["incident_io"], pages, ending)


def _post(request: Request) -> str | None:
    """Post a message. Returns None, or why that was not possible."""
    data = json.dumps(request.body).encode()
    headers = {"Content-Type": "application/json", **request.headers}
    why = None
    for attempt in range(TRIES):
        if attempt:
            time.sleep(2.0**attempt)
        try:
            made = urllib.request.Request(request.url, data, headers, method="POST")
            with urllib.request.urlopen(made, timeout=SECONDS):
                return None
        except urllib.error.HTTPError as error:
            why = f"it answered {error.code}"
            if error.code < 500 and error.code != 429:
                return why  # it would answer the same again
        except (http.client.InvalidURL, ValueError):  # their text has the address, which is a secret
            return "its address cannot be used"
        except http.client.HTTPException as error:
            why = f"its answer is not valid HTTP ({type(error).__name__})"
        except OSError as error:
            why = str(getattr(error, "reason", error)) or type(error).__name__
    return why


def _pages(links: Mapping[str, str | None], ending: Ending) -> list[tuple[str, str]]:
    """The pages that show the run, with their names."""
    found = []
    if links["metaflow"]:
        found.append(("Metaflow UI", f"{links['metaflow']}/{ending.pathspec}"))
    if links["argo"]:
        place = f"{os.environ[ARGO_NAMESPACE]}/{os.environ[ARGO_NAME]}"
        found.append(("Argo UI", f"{links['argo']}/workflows/{place}"))
    return found


def _slack(project: Mapping[str, str], pages: Sequence[tuple[str, str]], ending: Ending) -> Mapping[str, Any]:
    mark, word = (":white_check_mark:", "succeeded") if ending.succeeded else (":rotating_light:", "failed")
    text = "\n".join([f"{mark} _{ending.pathspec}_ {word}!", *(f"• {line}" for line in ending.details)])
    if not pages:
        return {"text": text}
    about: dict[str, Any] = {"type": "section", "text": {"type": "mrkdwn", "text": "Environment details"}}
    if project:
        about["fields"] = [
            {"type": "mrkdwn", "text": f"*Project:* {project['project_name']}"},
            {"type": "mrkdwn", "text": f"*Project Branch:* {project['branch_name']}"},
        ]
    links = [{"type": "mrkdwn", "text": f":information_source: *<{url}|{name}>*"} for name, url in pages]
    return {
        "text": text,
        "blocks": [
            about,
            {"type": "context", "elements": links},
            {"type": "divider"},
            {"type": "section", "text": {"type": "mrkdwn", "text": text}},
        ],
    }


def _pager_duty(place: Mapping[str, str], pages: Sequence[tuple[str, str]], ending: Ending) -> Request:
    workflow = os.environ[ARGO_NAME]
    details: dict[str, Any] = {"Flow": ending.flow, "Run ID": ending.run_id}
    links = [{"href": url, "text": name} for name, url in pages]
    body: dict[str, Any] = {"routing_key": place["key"], "links": links}
    if ending.succeeded:
        summary = f"Metaflow run {ending.pathspec} Succeeded"
        body["payload"] = {"summary": summary, "source": workflow, "custom_details": details}
        return Request("PagerDuty", f"{place['url']}/v2/change/enqueue", {}, body)
    if ending.details:
        details["Failed"] = ending.details
    body |= {
        "event_action": "trigger",
        "dedup_key": ending.run_id,  # a message whose answer came too late alerts once
        "payload": {
            "source": workflow,
            "severity": "info",
            "summary": f"Metaflow run {ending.pathspec} failed!",
            "custom_details": details,
        },
    }
    return Request("PagerDuty", f"{place['url']}/v2/enqueue", {}, body)


def _incident_io(place: Mapping[str, Any], pages: Sequence[tuple[str, str]], ending: Ending) -> Request:
    word = "succeeded" if ending.succeeded else "failed"
    lines = [f"Metaflow run {ending.pathspec} {word}!", *(f"- {line}" for line in ending.details)]
    if pages:
        lines += ["", "See details for the run at:", *(f"[{name}]({url})" for name, url in pages)]
    body = {
        "idempotency_key": ending.run_id,
        "deduplication_key": ending.run_id,
        "status": "firing",
        "title": f"Flow {ending.flow} has {word}.",
        "description": "\n".join(lines),
        "source_url": pages[0][1] if pages else None,
        "metadata": {
            **place["metadata"],
            "run_status": word,
            "flow_name": ending.flow,
            "run_id": ending.run_id,
        },
    }
    headers = {"Authorization": f"Bearer {place['key']}"}
    return Request("incident.io", f"{place['url']}/v2/alert_events/http/{place['source']}", headers, body)
