"""Run as a script: Metaflow's Deployer with `.hera()`, as its documents show it with another name there.

The flow is the first argument; what came of it is written as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys

from metaflow import Deployer, namespace
from metaflow.runner.deployer import DeployedFlow

found: dict[str, object] = {}
flow = sys.argv[1]

deployed = Deployer(flow).hera().create(tags=["of the deployment"], max_workers=3, message="the first")
found["deployed"] = [deployed.name, deployed.id, deployed.flow_name, deployed.production_token]
found["metadata"] = deployed.metadata
found["nothing compiled"] = deployed.workflow_template

triggered = deployed.trigger(alpha=0.5, tags=["of the run"])
found["name"] = triggered.name
triggered.wait_for_run(check_interval=0.2, timeout=600)
triggered.wait_for_completion(check_interval=0.2, timeout=600)
found["status"] = [triggered.status, triggered.is_running]
run = triggered.run
found["alpha"] = run["end"].task.data.alpha
found["tags"] = sorted(run.tags)
namespace(f"production:{deployed.production_token}")
found["finished"] = [run.finished, run.successful]

again = DeployedFlow.from_deployment(deployed.id, impl="hera")
second = again.trigger(alpha=0.25)
second.wait_for_completion(check_interval=0.2)
found["from deployment"] = [again.name, again.flow_name, second.run["end"].task.data.alpha]
found["looked up"] = DeployedFlow.get_triggered_hera_run(deployed.id, triggered.run.id).status
found["listed"] = [each.name for each in DeployedFlow.list_hera(flow_name=deployed.flow_name)]
found["runs"] = [each.pathspec for each in deployed.runs()][:2] == [second.pathspec, triggered.pathspec]

Deployer(flow).hera().create()
deployed.rollback(to=1, message="as it was")
found["versions"] = [[each.number, each.to, each.message] for each in deployed.versions()]
found["no such version"] = again.rollback(to=7)

only = Deployer(flow).hera(name="never-deployed").create(only_json=True)
template = only.workflow_template
found["only json"] = [only.name, template["kind"], template["metadata"]["name"], only.production_token]


async def at_once() -> object:
    deployer = Deployer(flow, show_output=False).hera(name="asynchronous")
    flows = await deployer.async_create()
    runs = await asyncio.gather(*(flows.async_trigger(alpha=alpha) for alpha in (1.0, 2.0)))
    await asyncio.gather(*(each.async_wait_for_completion(check_interval=0.2) for each in runs))
    done = sorted(each.run["end"].task.data.alpha for each in runs)
    return [done, flows.delete(), flows.production_token]


found["async"] = asyncio.run(at_once())

failures = {
    "no such option": lambda: Deployer(flow).hera().create(nonsense=1),
    "refused": lambda: Deployer(flow, show_output=False).hera().create(max_workers=0),
    "wrong type": lambda: deployed.trigger(alpha="high"),
    "no such parameter": lambda: deployed.trigger(beta=1),
    "no such deployment": lambda: DeployedFlow.from_hera("absent"),
}
for name, call in failures.items():
    try:
        call()
    except Exception as error:
        found[name] = f"{type(error).__name__}: {error}"
found["deleted"] = [deployed.delete(), deployed.delete()]
print("FOUND" + json.dumps(found))
