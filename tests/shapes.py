"""Flows written as a list of lines, one a step, each leaving a trail of where its tasks came from.

A line is `name kind next... = expression`: for a foreach the expression gives the items, for a switch
the step to go to, for others it is left out. `self.trail` holds the steps so far (in a join those
of each input, in order), `self.input` the item, `turn` the turn of a loop.
"""

from __future__ import annotations

HEAD = """from metaflow import FlowSpec, current, parallel, step


class {name}(FlowSpec):
"""
FOOT = """
if __name__ == "__main__":
    {name}()
"""


def flow_script(name: str, lines: str) -> str:
    """The script of a flow with the given steps."""
    steps = [_step(line) for line in lines.strip().splitlines()]
    return HEAD.format(name=name) + "\n".join(steps) + "\n" + FOOT.format(name=name)


def _step(line: str) -> str:
    transition, _, expression = line.partition("=")
    name, kind, *out = transition.split()
    join = kind == "join"
    body = [f"def {name}(self{', inputs' if join else ''}):"]
    if join:
        body.append(f"    self.trail = (*sorted((i.trail for i in inputs), key=repr), {name!r})")
    else:
        body.append(f"    self.trail = (*getattr(self, 'trail', ()), {name!r})")
        body.append("    self.seen = (self.index, self.input)")
        body.append(f"    turn = self.trail.count({name!r}) - 1")
    targets = ", ".join(f"self.{target}" for target in out)
    match kind:
        case "switch":
            cases = ", ".join(f"{target!r}: self.{target}" for target in out)
            body += [
                f"    self.choice = {expression.strip()}",
                f"    self.next({{{cases}}}, condition='choice')",
            ]
        case "foreach":
            body += [
                f"    self.items = list({expression.strip()})",
                f"    self.next({targets}, foreach='items')",
            ]
        case "end":
            pass
        case _:
            body.append(f"    self.next({targets})")
    return "\n".join(f"    {line}" for line in ["@step", *body, ""])
