"""Regular expressions of users: Go's, in linear time, wherever the embedded Argo reads one."""

from __future__ import annotations

from typing import Any

import pytest

from metaflow_hera.embedded.events.filters import passes
from metaflow_hera.embedded.expressions import gotemplate, regexp
from metaflow_hera.embedded.expressions.language import ExpressionError, compile_expression
from metaflow_hera.embedded.expressions.when import WhenError, should_execute

SLOW, TEXT = "(a+)+$", "a" * 5_000 + "!"
"""Together they take a backtracking engine longer than there is time."""


def test_a_pattern_that_backtracking_cannot_handle_takes_no_time() -> None:
    assert not should_execute(f"'{TEXT}' =~ '{SLOW}'")
    assert compile_expression(f"'{TEXT}' matches '{SLOW}'")(lambda path: None) is False
    data = {"data": [{"path": "x", "type": "string", "value": [SLOW]}]}
    assert not passes(data, {"x": TEXT})
    assert not passes(
        {"exprs": [{"expr": f"x =~ '{SLOW}'", "fields": [{"name": "x", "path": "x"}]}]}, {"x": TEXT}
    )


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("(?<=y)x", "invalid named capture: `(?<=y)x`"),
        ("a(?<!y)(?P<n>x)", "invalid named capture: `(?<!y)(?P<n>`"),
        ("(?=x)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?>a)", "invalid or unsupported Perl syntax: `(?>`"),
        (r"(a)\1", r"invalid escape sequence: `\1`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("x{1001}", "invalid repeat count: `{1001}`"),
        ("(", "missing closing ): `(`"),
        ("x)", "unexpected ): `x)`"),
        ("[a", "missing closing ]: `[a`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("\\", "trailing backslash at end of expression: ``"),
    ],
)
def test_what_go_does_not_read_is_refused_in_its_words(pattern: str, complaint: str) -> None:
    with pytest.raises(regexp.RegexpError) as caught:
        regexp.check(pattern)
    assert str(caught.value) == f"error parsing regexp: {complaint}"


def test_a_pattern_in_a_condition_is_read_when_the_condition_is() -> None:
    with pytest.raises(WhenError, match=r"^Invalid 'when' expression .*: error parsing regexp"):
        should_execute("false && 'x' =~ '('")


def test_a_pattern_that_is_no_text_is_read_when_it_is_needed() -> None:
    with pytest.raises(WhenError, match="Unable to compile regexp pattern"):
        should_execute("'x' =~ [*]")


def test_an_expression_with_a_bad_pattern_is_an_error_of_the_expression() -> None:
    with pytest.raises(ExpressionError, match="missing closing"):
        compile_expression("'x' matches '('")(lambda path: None)


def test_a_stored_filter_that_is_no_pattern_lets_nothing_pass() -> None:
    assert not passes({"data": [{"path": "x", "type": "string", "value": ["(?<=a)b"]}]}, {"x": "ab"})


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + '"' * 3_000,
        "{{ " * 3_000,
        "{{ " + "(" * 3_000 + " }}",
        '{{ printf "%999999999d" 1 }}',
        '{{ printf "' + "%999999d" * 1_000 + '" }}',
        '{{ printf "%*d" 2000000000 1 }}',
    ],
)
def test_a_template_of_a_sensor_that_would_take_all_time_or_memory_is_refused(source: str) -> None:
    with pytest.raises(gotemplate.TemplateError):
        gotemplate.render(source, {})


def test_a_long_condition_is_read_once() -> None:
    assert should_execute(" " * 50_000 + "true")
    with pytest.raises(WhenError, match="recursion"):
        should_execute("1 < " + "1 + " * 5_000 + "1")


def test_numbers_beyond_all_bounds_are_told_as_go_does() -> None:
    with pytest.raises(WhenError):
        should_execute("0x" + "f" * 400 + " == 1")
    infinite: Any = compile_expression("string(asFloat('1e308') * 10)")
    assert infinite(lambda path: None) == "+Inf"
