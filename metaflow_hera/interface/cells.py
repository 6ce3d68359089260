"""The script of a flow's class: its file, or one made from its module or from a notebook's cells."""

from __future__ import annotations

import ast
import builtins
import hashlib
import inspect
import symtable
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from metaflow_hera.errors import FlowError


@contextmanager
def script_of(flow: Any) -> Iterator[str]:
    """The path of the script for a flow, which is given as a path, a class or a module.

    A class whose file does not run it gets a script of its own beside that file, for as long as the context
    lasts: the file without its main block. A class from a notebook's cell gets one in the current folder,
    with the cell's definitions and what they need from the other cells. Raises FlowError if no script can
    be found or made.
    """
    if isinstance(flow, str | Path):
        yield str(flow)
        return
    is_class = inspect.isclass(flow)
    module = sys.modules.get(flow.__module__) if is_class else flow
    file = getattr(module, "__file__", None)
    if file is None and not is_class:
        raise FlowError(f"{flow!r} is not a flow: give the path of a script, or the flow's class.")
    if file is None:
        with _written(flow.__name__, script_text(flow.__name__, _cells()), Path.cwd()) as path:
            yield path
        return
    source = Path(file).read_text(encoding="utf-8")
    if not is_class or _started_in(source, module) == {flow.__name__}:
        yield str(file)
        return
    with _written(flow.__name__, module_text(flow.__name__, source), Path(file).parent) as path:
        yield path


def script_text(name: str, cells: Sequence[str]) -> str:
    """The script for the flow of that name, which one of the cells defines; the last one counts.

    Raises FlowError if no cell defines it, or if it uses a value that a cell computes.
    """
    statements = [statement for cell in cells for statement in _statements(cell)]
    # The statement does not say which names `import *` brings.
    wanted = [statement for statement in statements if "*" in _bound(statement)]
    missing = [name]
    while missing:
        sought = missing.pop()
        found = next((s for s in reversed(statements) if sought in _bound(s)), None)
        if found is None:
            if sought == name:
                raise FlowError(f"No cell defines the flow {name}: run the cell with its class first.")
            continue  # a local name, or one that Python itself will report
        if found in wanted:
            continue
        if not _can_be_repeated(found):
            raise FlowError(
                f"The flow {name} uses {sought}, which a cell computes: "
                "make it a Parameter, or have a function compute it."
            )
        wanted.append(found)
        missing += sorted(_used(found) - set(dir(builtins)))
    return _script(name, [statement for statement in statements if statement in wanted])


def module_text(name: str, source: str) -> str:
    """The script for a flow whose module does something else when it is run, or nothing."""
    return _script(name, [statement for statement in _statements(source) if not _is_main_block(statement)])


def _script(name: str, statements: Sequence[ast.stmt]) -> str:
    return "\n\n".join([*map(ast.unparse, statements), f'if __name__ == "__main__":\n    {name}()\n'])


@contextmanager
def _written(flow: str, text: str, folder: Path) -> Iterator[str]:
    """A file with a script for as long as the context lasts; the same script gets the same name."""
    path = folder / f"{flow.lower()}_{hashlib.sha256(text.encode()).hexdigest()[:8]}.py"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FlowError(
            f"{path} cannot be written ({error.strerror}): change to a folder that you may write to."
        ) from error
    try:
        yield str(path)
    finally:
        path.unlink(missing_ok=True)


def _started_in(source: str, module: Any) -> set[str]:
    """The names of the flows that a module starts, as a flow's script does, in whatever case."""
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    names = {function.id for function in calls if isinstance(function, ast.Name)}
    return {name for name in names if _is_flow(getattr(module, name, None))}


def _is_flow(value: Any) -> bool:
    flow = getattr(value, "_flow_cls", value)  # a mutator stands for the flow that it is put on
    return inspect.isclass(flow) and hasattr(flow, "_flow_state")


def _is_main_block(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test)


def _cells() -> list[str]:
    """The cells that this notebook has run, in their order."""
    shell = notebook_shell()
    if shell is None:
        raise FlowError("The flow is not in a file: save it as a script, or define it in a notebook's cell.")
    return [str(shell.transform_cell(cell)) for cell in shell.user_ns.get("In", ())]


def notebook_shell() -> Any:
    """IPython's shell if this process is a notebook's or a console's, else None."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _statements(cell: str) -> list[ast.stmt]:
    try:
        return ast.parse(cell).body
    except SyntaxError:  # a cell that did not run
        return []


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement binds; "*" if they are not known."""
    if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
        return {"*"}
    symbols = _table(statement).get_symbols()
    return {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}


def _used(statement: ast.stmt) -> set[str]:
    """The names that a statement uses from outside, at any depth."""
    outside = {symbol.get_name() for symbol in _table(statement).get_symbols() if symbol.is_referenced()}
    tables = list(_table(statement).get_children())
    while tables:
        table = tables.pop()
        tables += table.get_children()
        outside |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
    return outside - _bound(statement)


def _table(statement: ast.stmt) -> symtable.SymbolTable:
    return symtable.symtable(ast.unparse(statement), "<cell>", "exec")


def _can_be_repeated(statement: ast.stmt) -> bool:
    """Whether it means the same wherever it runs: a definition, an import, a literal value."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return not any(isinstance(node, ast.Call | ast.Await) for node in ast.walk(statement))
    if isinstance(statement, ast.Try):
        handlers = [each for handler in statement.handlers for each in handler.body]
        parts = [*statement.body, *handlers, *statement.orelse, *statement.finalbody]
        return all(map(_can_be_repeated, parts))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Pass)
    return isinstance(statement, kinds)
