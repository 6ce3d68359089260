"""Scripts that are put together from cells."""

from __future__ import annotations

import ast

import pytest

from metaflow_hera.errors import FlowError
from metaflow_hera.interface.cells import module_text, script_text

FLOW = "class F(FlowSpec):\n    @step\n    def start(self):\n        {}\n"


def script(body: str, *cells: str) -> str:
    return script_text("F", ["from metaflow import FlowSpec, step", *cells, FLOW.format(body)])


def test_only_what_is_needed_in_the_order_of_the_cells() -> None:
    text = script("self.x = two()", "def one(): return 1", "import os\ndef two(): return one()", "y = 3")
    names = ["from metaflow", "def one", "def two", "class F"]
    places = [text.index(name) for name in names]
    assert places == sorted(places)
    assert "import os" not in text
    assert "y = 3" not in text
    assert text.endswith('if __name__ == "__main__":\n    F()\n')


def test_the_last_definition_counts() -> None:
    text = script_text("F", [FLOW.format("self.x = 1"), FLOW.format("self.x = 2")])
    assert "self.x = 2" in text
    assert "self.x = 1" not in text


@pytest.mark.parametrize(
    "cell",
    [
        "VALUE = {'a': [1, -2]}",
        "VALUE: int = 3",
        "A, VALUE = 1, 2",
        "def VALUE(): pass",
        "import os as VALUE",
        "from os import path as VALUE",
        "try:\n    import absent as VALUE\nexcept ImportError:\n    VALUE = None",
    ],
)
def test_what_means_the_same_anywhere(cell: str) -> None:
    assert ast.unparse(ast.parse(cell)) in script("self.x = VALUE", cell)


@pytest.mark.parametrize(
    "cell",
    [
        "VALUE = len('abc')",
        "for VALUE in [1]:\n    pass",
        "VALUE = 1\nVALUE += 1",
        "with open('f') as VALUE:\n    pass",
    ],
)
def test_what_a_cell_computes(cell: str) -> None:
    with pytest.raises(FlowError, match="F uses VALUE, which a cell computes"):
        script("self.x = VALUE", cell)


def test_names_of_inner_scopes_are_no_names_of_cells() -> None:
    text = script("VALUE = [x for x in (1, 2)]; self.y = (lambda z: z)(VALUE)", "x = z = VALUE = len('abc')")
    assert "len(" not in text


def test_all_that_an_import_of_everything_may_bring() -> None:
    text = script_text("F", ["from metaflow import *", FLOW.format("pass")])
    assert text.startswith("from metaflow import *")


def test_a_module_that_does_something_else_when_it_is_run() -> None:
    source = (
        f"import os\nROOT = os.getcwd()\n{FLOW.format('pass')}\nif __name__ == '__main__':\n    deploy(F)\n"
    )
    text = module_text("F", source)
    assert "ROOT = os.getcwd()" in text
    assert "deploy" not in text
    assert text.endswith("    F()\n")


def test_no_cell_has_it() -> None:
    with pytest.raises(FlowError, match="No cell defines the flow F"):
        script_text("F", ["x = 1", "class"])
