"""What `metaflow_hera` has for its users: exactly these names, each at hand and documented."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys

import pytest
from harness import TESTS

import metaflow_hera
from metaflow_hera import errors
from metaflow_hera.errors import MetaflowHeraError

FUNCTIONS_AND_CLASSES = {"deploy", "translate", "Deployment", "Run", "WorkflowTemplate"}
RECORDS = {
    *("Line", "ScheduledRun", "StepProgress", "TaskFailure", "TaskRetry", "Version"),
    *("Difference", "FieldChange", "FileChange", "ObjectChange", "ParameterChange", "StartChange"),
}
ERRORS = {
    *("MetaflowHeraError", "UsageError", "NotFoundError", "NotYoursError", "NameTakenError", "OptionError"),
    *("FlowError", "UnsupportedError", "ParameterError", "ManifestError", "ConfigurationError", "ArgoError"),
    *("ArgoUnreachable", "ArgoUnanswered", "ArgoDenied", "ArgoTokenRefused", "ArgoNotFound"),
    *("ArgoEventsMissing", "ArgoConflict", "ArgoTooOld", "ArgoExpired", "LocalServerError", "RunFailed"),
}
DEFINED = [
    each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, MetaflowHeraError)
]
each_error = pytest.mark.parametrize("error", DEFINED, ids=lambda error: error.__name__)


def test_exactly_these_names_are_public() -> None:
    assert set(metaflow_hera.__all__) == FUNCTIONS_AND_CLASSES | RECORDS | ERRORS | {"__version__"}
    assert dir(metaflow_hera) == sorted(metaflow_hera.__all__)
    for name in metaflow_hera.__all__:
        assert getattr(metaflow_hera, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'Choices'"):
        metaflow_hera.Choices  # noqa: B018


def test_all_of_it_can_be_imported_before_metaflow() -> None:
    code = "from metaflow_hera import *; print(deploy.__name__, Line.__name__, __version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["deploy", "Line", metaflow_hera.__version__], done.stderr


def test_every_error_is_public() -> None:
    assert {error.__name__ for error in DEFINED} == ERRORS


@each_error
def test_an_error_stands_in_the_drawing_of_the_tree(error: type[MetaflowHeraError]) -> None:
    """Indented below the one that it is a kind of."""
    drawn = re.findall(r"^    ((?:[|` ]  )*(?:[|`]- )?)(\w+)", errors.__doc__ or "", flags=re.MULTILINE)
    names = [name for _, name in drawn]
    assert names.count(error.__name__) == 1
    at = names.index(error.__name__)
    depth = len(drawn[at][0])
    above = [name for marks, name in drawn[:at] if len(marks) < depth]
    assert above[-1:] == [error.__base__.__name__ for _ in above[-1:]]


@each_error
def test_an_error_is_documented(error: type[MetaflowHeraError]) -> None:
    text = (TESTS.parent / "docs" / "metaflow.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{error.__name__}` \| .+ \|$", text, flags=re.MULTILINE)
    assert error.__doc__


@each_error
def test_an_error_keeps_its_kind_between_processes(error: type[MetaflowHeraError]) -> None:
    """As `deploy` and `translate` raise what their process of a flow's own came upon."""
    again = pickle.loads(pickle.dumps(error("what happened")))
    assert (type(again), str(again)) == (error, "what happened")


def test_exit_codes() -> None:
    codes = {error.__name__: error.exit_code for error in DEFINED if error.exit_code != 2}
    assert codes == {"RunFailed": 1}


def test_a_run_that_is_not_there_is_told_as_all_that_is_not_there() -> None:
    """It is Argo that says so, and the user who is to know."""
    assert issubclass(metaflow_hera.ArgoNotFound, metaflow_hera.NotFoundError)
