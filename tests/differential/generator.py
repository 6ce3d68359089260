"""Random legal flows: one for each number, the same for the same number.

A flow is built from its end to its start out of parts (a plain step, a split, a foreach, a switch, a
loop) that hold sequences of parts: each step is made after those that it leads to, and what opens is
closed as Metaflow's lint demands. What a step does depends on what came before it, so a task with other
inputs than it should have shows in the artifacts of all that follow.

Run as a script with a number: writes the script of that flow.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

LINEAR, SPLIT, FOREACH, SWITCH, LOOP, JOIN, END = (
    "linear",
    "split",
    "foreach",
    "switch",
    "loop",
    "join",
    "end",
)
SHARED = "shared"
"""A part only: a switch between two foreachs over one body, or between two splits into the same branches."""
BRANCH, CHOICE = "branch", "choice"
"""What a step may be inside of, besides a foreach."""

LEAST_STEPS = {LINEAR: 1, LOOP: 2, SWITCH: 2, FOREACH: 3, SPLIT: 4, SHARED: 5}
WEIGHTS = {LINEAR: 4, LOOP: 4, SWITCH: 5, FOREACH: 7, SPLIT: 4, SHARED: 2}
MOST_STEPS = 14
MOST_TASKS = 30
MOST_TURNS = 3

LONG = "a_step_with_a_name_as_long_as_those_of_people_who_write_no_docstrings"
NAMES = [
    *("matches", "in_", "let", "nil", "true", "item", "flow", "task", "join", "contains", "not_", "null"),
    *("ab_c", "a_bc", "ab__c", "abc_", "x", "x_0", "x_1", "x0", "x_0_1", "steps", "start_", "end_", "main"),
    *(f"{LONG}{letter}" for letter in "stx"),
    *("left", "right", "train", "fit", "load", "clean", "check", "score", "merge", "again", "report"),
]
KEYS: Sequence[Sequence[object]] = [
    ["a", "b", "c", "d", "e"],
    [0, 1, 2, 3, 4],
    ["yes", "no", "", "{{x}}", "$(x) 'y'"],
]
"""What the cases of a switch are called."""
ITEMS = [
    "[3, 1, 4, 1]",
    r"[None, 0.5, b'\x00\xff', {'a': (1, 2)}]",
    "['x', '', '{{item}}', 'żółć 🎈']",
    "((), ('a',), ('a', None), True)",
    "range(7, 11)",
    "'abcd'",
]
"""What a foreach goes over: the first so many of them."""
VALUES = [
    "None",
    "-1.5e-7",
    "(1, ('two', None))",
    r"{'a': [1, 2], None: b'\x00'}",
    "b'bytes'",
    "'{{=1+1}} $(HOME) żółć'",
    "[]",
]
"""What steps keep."""

HEAD = '''"""Random flow {seed}."""

from zlib import crc32

from metaflow import FlowSpec, step


def here(flow, name, turn=None):
    """The task: its step, its index in each foreach around it, and the turn of a loop."""
    return repr((name, [index for index, _, _ in flow.foreach_stack()], turn))


def before(inputs):
    """All that came before the inputs of a join, in an order that does not depend on theirs."""
    return sorted({{one for given in inputs for one in given.trail}})


def chance(trail, many):
    """A number below `many` that depends on all that came before."""
    return crc32(repr(trail).encode()) % many


class {name}(FlowSpec):
'''
FOOT = """
if __name__ == "__main__":
    {name}()
"""


@dataclass(frozen=True)
class Place:
    """Where in a flow a part is built.

    `targets` are the steps after the part: it leads to the first, and a switch in it may jump to the
    others. All are in the same branch or body; the last is its join, or the end of the flow.
    `around` are the kinds of what is around it, outermost first, `items` the variables of the foreachs
    among them, `times` is how often it may run by these.
    """

    targets: tuple[str, ...]
    around: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    times: int = 1

    def choice(self) -> Place:
        """The place of what a switch here may choose."""
        return replace(self, around=(*self.around, CHOICE))

    def branch(self, join: str) -> Place:
        """The place of a branch of a split here."""
        return replace(self, targets=(join,), around=(*self.around, BRANCH))

    def body(self, join: str, many: int, *items: str) -> Place:
        """The place of the body of a foreach here."""
        return Place((join,), (*self.around, FOREACH), (*self.items, *items), self.times * many)


@dataclass(frozen=True)
class Step:
    """A step, where it leads and where it is.

    `join` is what closes a split or a foreach, `items` the variable of a foreach, `many` how many items
    it has or how many turns a loop takes, at most.
    """

    name: str
    kind: str
    out: tuple[str, ...]
    place: Place
    join: str = ""
    items: str = ""
    many: int = 1

    @property
    def tasks(self) -> int:
        """How many tasks it has, at most."""
        return self.place.times * (self.many if self.kind == LOOP else 1)


@dataclass(frozen=True)
class Flow:
    """A flow: the name of its class, its steps by name, its script."""

    name: str
    steps: Mapping[str, Step]
    script: str

    @property
    def tasks(self) -> int:
        """How many tasks a run has, at most."""
        return sum(step.tasks for step in self.steps.values())


def random_flow(seed: int) -> Flow:
    """The flow of that number."""
    attempt = 0
    while True:
        random = Random(f"{seed}/{attempt}")
        steps = _Builder(random).flow()
        name = f"Random{seed}Flow"
        flow = Flow(name, steps, _Script(random, steps).text(seed, name))
        if len(steps) <= MOST_STEPS and flow.tasks <= MOST_TASKS:
            return flow
        attempt += 1


def shapes(flow: Flow) -> set[str]:
    """What a flow has in it, in words."""
    steps = flow.steps
    into = _sources(steps)
    found: set[str] = set()
    for step in steps.values():
        before = [steps[name] for name in into[step.name] if name != step.name]
        after = [steps[name] for name in step.out if name != step.name]
        kinds = [one.kind for one in before]
        if step.kind in (SPLIT, FOREACH, SWITCH, LOOP):
            found.add(step.kind)
            found |= {f"{step.kind} in {around}" for around in step.place.around}
            found |= {f"{step.kind} first in {kind}" for kind in kinds if kind in (SPLIT, FOREACH)}
        if step.kind != LINEAR and step.name == "start":
            found.add(f"{step.kind} as start")
        if step.kind == SPLIT and len(step.out) > 2:
            found.add("split in three")
        if step.kind in (SWITCH, LOOP):
            found |= {f"{step.kind} straight to {one.kind}" for one in after if one.kind != LINEAR}
            if any(len(into[one.name]) > 1 for one in after):
                found.add(f"{step.kind} straight to a merge")
            if len(set(step.out)) < len(step.out):
                found.add("two cases, one step")
        if kinds.count(SWITCH) + kinds.count(LOOP) > 1:
            found.add("chosen by two switches")
        if kinds.count(FOREACH) > 1:
            found.add("two foreachs, one body")
        if kinds.count(SPLIT) > 1:
            found.add("two splits, the same branches")
        if step.kind == JOIN and JOIN in kinds:
            found.add("join after join")
        if step.kind == JOIN and len(before) > len(_opener(steps, step).out):
            found.add(f"several last steps of a {_opener(steps, step).kind}")
    return found


def _sources(steps: Mapping[str, Step]) -> dict[str, list[str]]:
    """For each step those that lead to it."""
    into: dict[str, list[str]] = {name: [] for name in steps}
    for step in steps.values():
        for target in dict.fromkeys(step.out):
            into[target].append(step.name)
    return into


def _opener(steps: Mapping[str, Step], join: Step) -> Step:
    """The split or foreach that a join closes, or one of them."""
    return next(step for step in steps.values() if step.join == join.name)


class _Builder:
    """Makes the steps of a flow. Each method that makes a part gives the part's first step."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.names = random.sample(NAMES, len(NAMES))
        self.steps: dict[str, Step] = {}

    def flow(self) -> dict[str, Step]:
        """All steps, from start to end."""
        place = Place(("end",))
        self.add(END, place, "end", ())
        parts = self.parts(self.random.randint(3, 12))
        # A loop leads to itself, and nothing may lead to start.
        if parts[0][0] == LOOP:
            parts.insert(0, (LINEAR, 1))
        self.sequence(parts, place, "start")
        return {step.name: step for step in reversed(self.steps.values())}

    def add(self, kind: str, place: Place, name: str, out: Sequence[str] | None = None) -> Step:
        """A step that leads to the first target of its place if no others are given."""
        step = Step(name, kind, place.targets[:1] if out is None else tuple(out), place)
        self.steps[name] = step
        return step

    def parts(self, room: int) -> list[tuple[str, int]]:
        """Kinds of parts, with the number of steps for each, that take about as many steps in all."""
        parts: list[tuple[str, int]] = []
        while room > 0 or not parts:
            kinds = [kind for kind, least in LEAST_STEPS.items() if least <= max(room, 1)]
            (kind,) = self.random.choices(kinds, [WEIGHTS[kind] for kind in kinds])
            # Of two sizes the larger: more nesting, and fewer small parts in a row.
            sizes = [self.random.randint(LEAST_STEPS[kind], max(room, LEAST_STEPS[kind])) for _ in range(2)]
            size = 1 if kind == LINEAR else max(sizes)
            parts.append((kind, size))
            room -= size
        return parts

    def sequence(self, parts: Sequence[tuple[str, int]], place: Place, first: str = "") -> str:
        """Parts one after the other. `first` names the first step of all."""
        build = {
            LINEAR: self.linear,
            SPLIT: self.split,
            FOREACH: self.foreach,
            SWITCH: self.switch,
            LOOP: self.loop,
            SHARED: self.shared,
        }
        entry = ""
        for number, (kind, size) in reversed([*enumerate(parts)]):
            name = first if first and not number else self.names.pop()
            entry = build[kind](size, place, name)
            place = replace(place, targets=(entry, *place.targets))
        return entry

    def some(self, room: int, place: Place) -> str:
        """A sequence of any parts."""
        return self.sequence(self.parts(room), place)

    def linear(self, _: int, place: Place, name: str) -> str:
        """A plain step."""
        return self.add(LINEAR, place, name).name

    def split(self, room: int, place: Place, name: str) -> str:
        """A static split, its branches and their join."""
        join = self.add(JOIN, place, self.names.pop()).name
        many = self.random.choice([2, 2, 3])
        branches = [self.some(share, place.branch(join)) for share in self.shares(room - 2, many)]
        self.steps[name] = replace(self.add(SPLIT, place, name, branches), join=join)
        return name

    def foreach(self, room: int, place: Place, name: str) -> str:
        """A foreach, its body and its join."""
        join = self.add(JOIN, place, self.names.pop()).name
        many = self.items(place)
        items = f"items_{len(self.steps)}"
        body = self.some(room - 2, place.body(join, many, items))
        step = self.add(FOREACH, place, name, [body])
        self.steps[name] = replace(step, join=join, items=items, many=many)
        return name

    def switch(self, room: int, place: Place, name: str) -> str:
        """A switch and what it may choose; often with a tail that choices of it and inside of it lead to."""
        inside = place
        room -= 1
        if room >= 3 and self.likely(0.5):
            tail = self.random.randint(1, room - 2)
            room -= tail
            inside = replace(place, targets=(self.some(tail, place), *place.targets))
        ways = self.ways(room, self.random.choice([2, 2, 3]), inside)
        if self.likely(0.1):
            ways.append(self.random.choice(ways))
        return self.add(SWITCH, place, name, ways).name

    def loop(self, room: int, place: Place, name: str) -> str:
        """A switch that may choose itself, and what else it may choose."""
        ways = self.ways(room - 1, self.random.choice([1, 2, 2, 3]), place)
        ways.insert(self.random.randint(0, len(ways)), name)
        many = self.random.randint(1, MOST_TURNS)
        self.steps[name] = replace(self.add(LOOP, place, name, ways), many=many)
        return name

    def shared(self, room: int, place: Place, name: str) -> str:
        """A switch between two foreachs over one body, or between two splits into the same branches."""
        inside = place.choice()
        join = self.add(JOIN, inside, self.names.pop()).name
        kind = self.random.choice([FOREACH, SPLIT])
        items, many = ["", ""], 1
        if kind == FOREACH:
            items, many = [f"items_{len(self.steps)}{one}" for one in "ab"], self.items(place)
            roots = [self.some(room - 4, inside.body(join, many, *items))]
        else:
            roots = [self.some(share, inside.branch(join)) for share in self.shares(room - 4, 2)]
        ways = []
        for variable in items:
            roots = self.random.sample(roots, len(roots))
            step = self.add(kind, inside, self.names.pop(), roots)
            self.steps[step.name] = replace(step, join=join, items=variable, many=many)
            if self.likely(0.3):
                step = self.add(LINEAR, inside, self.names.pop(), [step.name])
            ways.append(step.name)
        if self.likely(0.3):
            ways += self.ways(0, 1, place)
        return self.add(SWITCH, place, name, self.random.sample(ways, len(ways))).name

    def ways(self, room: int, many: int, place: Place) -> list[str]:
        """What a switch may choose: parts of its own, or a target itself, unless that is a join.

        One leads to the first target of the place, so that all that follows can be reached.
        """
        ways: list[str] = []
        for number, share in enumerate(self.shares(room, many)):
            jump = self.random.randrange(len(place.targets)) if number and self.likely(0.4) else 0
            inside = replace(place.choice(), targets=place.targets[jump:])
            target = self.steps[inside.targets[0]]
            if target.kind != JOIN and target.name not in ways and (share == 0 or self.likely(0.25)):
                ways.append(target.name)
            else:
                ways.append(self.some(share, inside))
        return self.random.sample(ways, len(ways))

    def shares(self, room: int, many: int) -> list[int]:
        """Cut a number of steps into so many."""
        cuts = sorted(self.random.randint(0, max(room, 0)) for _ in range(many - 1))
        return [end - begin for begin, end in zip([0, *cuts], [*cuts, max(room, 0)], strict=True)]

    def items(self, place: Place) -> int:
        """How many items a foreach has: few where there are foreachs around it."""
        return self.random.choice([1, 2, 2, 2, 3, 4][: 4 if place.times > 1 else None])

    def likely(self, chance: float) -> bool:
        """True as often as that."""
        return self.random.random() < chance


class _Script:
    """Writes what the steps of a flow do."""

    def __init__(self, random: Random, steps: Mapping[str, Step]) -> None:
        self.random = random
        self.steps = steps
        self.into = _sources(steps)
        variables = [step.items for step in steps.values() if step.items]
        turns = [f"turn_{step.name}" for step in steps.values() if step.kind == LOOP]
        # What may differ between the inputs of a join, besides what every join sets itself.
        self.differing = ["choice", *turns, *variables]

    def text(self, seed: int, name: str) -> str:
        """The whole script."""
        steps = "\n".join(self.step(step) for step in self.steps.values())
        return HEAD.format(seed=seed, name=name) + steps + "\n" + FOOT.format(name=name)

    def step(self, step: Step) -> str:
        """The method of one step."""
        arguments = "self, inputs" if step.kind == JOIN else "self"
        lines = [*self.body(step), *self.next(step)]
        return "\n".join(
            ["    @step", f"    def {step.name}({arguments}):", *(f"        {x}" for x in lines), ""]
        )

    def body(self, step: Step) -> list[str]:
        """What all steps do, and what its kind does."""
        here = f"here(self, {step.name!r})"
        given = "self.given = (self.index, self.input)"
        if step.kind == JOIN:
            return [
                f"self.trail = [*before(inputs), {here}]",
                "self.total = sum(one.total for one in inputs)",
                given,
                f"self.taken = {self.taken(step)}",
                self.merged(step),
            ]
        if step.name == "start":
            lines = [
                f"self.trail = [{here}]",
                "self.total = 0.5",
                "self.common = {'all': (None, 1.5)}",
                given,
            ]
        elif step.kind == LOOP:
            turn = f"turn_{step.name}"
            lines = [
                f"self.{turn} = getattr(self, {turn!r}, -1) + 1",
                f"self.trail = [*self.trail, here(self, {step.name!r}, self.{turn})]",
                given,
            ]
        else:
            lines = [f"self.trail = [*self.trail, {here}]", given]
        if self.random.random() < 0.4:
            lines.append("self.total += len(self.trail) / 2")
        if self.random.random() < 0.4:
            lines.append(f"self.own_{step.name} = {self.random.choice(VALUES)}")
        return lines

    def taken(self, join: Step) -> str:
        """What a join takes from its inputs one by one, where Metaflow gives them an order or names."""
        opener = _opener(self.steps, join)
        if len(self.into[join.name]) > len(opener.out):
            return "sorted(repr(one.given) for one in inputs)"
        if opener.kind == FOREACH:
            return "[one.given for one in inputs]"
        return f"[{', '.join(f'inputs.{name}.given' for name in self.into[join.name])}]"

    def merged(self, join: Step) -> str:
        """How a join takes over the other artifacts: all, or only one that every task has."""
        differing = [name for name in self.differing if name not in join.place.items]
        return self.random.choice(
            [
                f"self.merge_artifacts(inputs, exclude={differing!r})",
                f"self.merge_artifacts(inputs, exclude={differing!r})",
                "self.merge_artifacts(inputs, include=['common'])",
                "self.common = inputs[0].common",
            ]
        )

    def next(self, step: Step) -> list[str]:
        """What only its kind does, with `self.next`."""
        targets = ", ".join(f"self.{name}" for name in step.out)
        match step.kind:
            case "end":
                return []
            case "foreach":
                most = f"1 + self.index % {step.many}" if self.by_index(step, 0.5) else str(step.many)
                items = f"{self.random.choice(ITEMS)}[:{most}]"
                return [f"self.{step.items} = {items}", f"self.next({targets}, foreach={step.items!r})"]
            case "switch" | "loop":
                keys = self.random.choice(KEYS)[: len(step.out)]
                cases = ", ".join(f"{key!r}: self.{name}" for key, name in zip(keys, step.out, strict=True))
                return [
                    f"self.choice = {self.choice(step, keys)}",
                    f"self.next({{{cases}}}, condition='choice')",
                ]
            case _:
                return [f"self.next({targets})"]

    def choice(self, step: Step, keys: Sequence[object]) -> str:
        """What a switch chooses: items of a foreach differ in it."""
        others = [key for key, name in zip(keys, step.out, strict=True) if name != step.name]
        way = f"chance(self.trail, {len(others)})"
        if self.by_index(step, 0.7):
            way = f"(self.index + {self.random.randrange(len(others))}) % {len(others)}"
        chosen = repr(others[0]) if len(others) == 1 else f"{others!r}[{way}]"
        if step.kind == SWITCH:
            return chosen
        last = (
            f"(self.index + {step.many}) % {MOST_TURNS}" if self.by_index(step, 0.5) else str(step.many - 1)
        )
        return f"{keys[step.out.index(step.name)]!r} if self.turn_{step.name} < {last} else {chosen}"

    def by_index(self, step: Step, chance: float) -> bool:
        """Whether a step's doing depends on its index, as often as that where it has one."""
        return FOREACH in step.place.around and self.random.random() < chance


if __name__ == "__main__":
    sys.stdout.write(random_flow(int(sys.argv[1])).script)
