"""The kinds of objects of a deployment: their words for people, and the calls that read and write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.settling import learned
from metaflow_hera.contract.objects import CRON, JSON, SENSOR, TEMPLATE


@dataclass(frozen=True)
class Kind:
    """A kind of objects: its words for people, and the client's calls.

    `read` and `delete` take the object's name and namespace; `create` and `update` take its JSON.
    """

    words: str
    read: Callable[[ArgoClient, str, str], JSON]
    create: Callable[[ArgoClient, JSON], JSON]
    update: Callable[[ArgoClient, JSON], JSON]
    delete: Callable[[ArgoClient, str, str], None]


# Templates and cron workflows are in the client's namespace, a sensor may be in another one.
KINDS = {
    TEMPLATE: Kind(
        words="workflow template",
        read=lambda client, name, _: client.template(name),
        create=ArgoClient.create_template,
        update=ArgoClient.update_template,
        delete=lambda client, name, _: client.delete_template(name),
    ),
    CRON: Kind(
        words="cron workflow",
        read=lambda client, name, _: client.cron(name),
        # Argo's server checks it with its template, which may have been created just before.
        create=lambda client, cron: learned(lambda: client.create_cron(cron), client.target.embedded),
        update=lambda client, cron: learned(lambda: client.update_cron(cron), client.target.embedded),
        delete=lambda client, name, _: client.delete_cron(name),
    ),
    SENSOR: Kind(
        words="sensor",
        read=ArgoClient.sensor,
        create=ArgoClient.create_sensor,
        update=ArgoClient.update_sensor,
        delete=ArgoClient.delete_sensor,
    ),
}
