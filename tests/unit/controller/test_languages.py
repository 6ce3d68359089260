"""The languages inside a manifest, each by itself."""

from __future__ import annotations

from typing import Any

import pytest

from metaflow_hera.embedded.controller.items import ItemsError, item_name, item_values, read_items
from metaflow_hera.embedded.expressions.depends import RESULTS, evaluate, parse_depends
from metaflow_hera.embedded.expressions.gojson import GoJSONError, dumps, loads
from metaflow_hera.embedded.expressions.language import (
    ExpressionError,
    UnsupportedExpression,
    compile_expression,
    format_value,
)
from metaflow_hera.embedded.expressions.variables import SubstitutionError, substitute, tags
from metaflow_hera.embedded.expressions.when import WhenError, should_execute


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("", True),
        ("x == x", True),
        ("a-b == a-b", None),
        ("'a-b' == 'a-b'", True),
        ('"a" != "b"', True),
        ("1 < 2", True),
        ("2 <= 1", False),
        ("10 > 9", True),
        ("'10' > '9'", False),
        ("1.0 == 1", True),
        ("1 == '1'", False),
        ("true", True),
        ("!(a == b)", True),
        ("a == b || c == c && d == e", False),
        ("(a == b || c == c) && d == d", True),
        ("b in (a, b)", True),
        ("'z' in ('a', 'b')", False),
        ("'step-12' =~ '^step-[0-9]+$'", True),
        ("abc !~ 'x'", True),
        ("1 + 2 * 3 == 7", True),
        ("-1 < 0", True),
        ("false && (1 < x)", False),
        ("'it\\'s' == 'it\\'s'", True),
        ("'2024-01-01' == '2024-01-01'", True),
        ("'2024-01-02' > '2024-01-01'", True),
    ],
)
def test_when(when: str, holds: bool | None) -> None:
    if holds is None:
        with pytest.raises(WhenError):
            should_execute(when)
    else:
        assert should_execute(when) is holds


@pytest.mark.parametrize(
    ("when", "message"),
    [
        (
            "a b == c",
            "Invalid 'when' expression 'a b == c': "
            "Cannot transition token types from VARIABLE [a] to VARIABLE [b]",
        ),
        (
            "a#b",
            "Invalid 'when' expression 'a#b': Invalid token: '#' "
            '(hint: try wrapping the affected expression in quotes ("))',
        ),
        ("(a == b", "Invalid 'when' expression '(a == b': Unbalanced parenthesis"),
        ("a ==", "Invalid 'when' expression 'a ==': Unexpected end of expression"),
        ("'a' == 'b", "Invalid 'when' expression ''a' == 'b': Unclosed string literal"),
        ("abc", "Expected boolean evaluation for 'abc'. Got abc"),
        (
            "a < 1",
            "Failed to evaluate 'when' expresion 'a < 1': "
            "Value 'a' cannot be used with the comparator '<', it is not a number",
        ),
    ],
)
def test_when_fails_as_in_argo(when: str, message: str) -> None:
    with pytest.raises(WhenError) as raised:
        should_execute(when)
    assert str(raised.value) == message


def results(**phases: str) -> Any:
    def of(name: str) -> dict[str, bool]:
        return {result: phases[name] == result for result in RESULTS}

    return of


def no_continue_on(name: str) -> dict[str, Any]:
    return {}


@pytest.mark.parametrize(
    ("depends", "phases", "runs"),
    [
        ("a", {"a": "Succeeded"}, True),
        ("a", {"a": "Skipped"}, True),
        ("a", {"a": "Omitted"}, False),
        ("a.Failed || b", {"a": "Failed", "b": "Failed"}, True),
        ("!a.Succeeded && b.Errored", {"a": "Failed", "b": "Errored"}, True),
        ("(a.Skipped || a.Omitted) && b", {"a": "Omitted", "b": "Succeeded"}, True),
        ("step-1.AnySucceeded", {"step_1": "AnySucceeded"}, True),
    ],
)
def test_depends(depends: str, phases: dict[str, str], runs: bool) -> None:
    rule = parse_depends({"depends": depends}, no_continue_on).rule
    assert evaluate(rule, results(**phases)) is runs


def test_dependencies_are_rewritten_with_continue_on() -> None:
    parsed = parse_depends({"dependencies": ["a", "b"]}, lambda name: {"failed": True} if name == "b" else {})
    assert parsed.tasks == ("a", "b")
    assert parsed.rule == (
        "(a.Succeeded || a.Skipped || a.Daemoned) && (b.Succeeded || b.Skipped || b.Daemoned || b.Failed)"
    )


def test_the_tasks_of_depends_are_in_order_and_fans_are_known() -> None:
    parsed = parse_depends({"depends": "b.AllFailed || a && b.Succeeded"}, no_continue_on)
    assert parsed.tasks == ("b", "a")
    assert parsed.items == {"b"}


@pytest.mark.parametrize("word", ["matches", "contains", "startsWith", "endsWith", "in", "and", "or", "let"])
def test_words_of_the_language_are_no_task_names(word: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        evaluate(f"{word}.Succeeded", results(**{word: "Succeeded"}))
    assert str(raised.value) == (
        f"unable to evaluate expression '{word}.Succeeded': unexpected token "
        f'Operator("{word}") (1:1)\n | {word}.Succeeded\n | ^'
    )


@pytest.mark.parametrize("word", ["filter", "join", "map", "len", "any", "none", "now"])
def test_names_of_functions_are_task_names(word: str) -> None:
    assert evaluate(f"{word}.Succeeded", results(**{word: "Succeeded"}))


VALUES = {"inputs.parameters.i": "3", "inputs.parameters.my-name": "n", "lastRetry.exitCode": "7"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{=asInt(inputs.parameters.i)+1}}", "4"),
        ("{{=inputs.parameters['my-name'] == 'n' ? 'yes' : 'no'}}", "yes"),
        ("{{= asFloat(inputs.parameters.i) / 2 }}", "1.5"),
        ("{{=asInt(lastRetry.exitCode) > 1 && true}}", "true"),
        ("{{=inputs.parameters.i + '-' + inputs.parameters.i}}", "3-3"),
        ("{{=inputs.parameters.i in ['1', '3']}}", "true"),
        ("{{=missing.name ?? 'd'}}", "d"),
        ("{{=7 % 4 * -1}}", "-3"),
        ("{{=missing.name}}", "{{=missing.name}}"),
        ("a {{inputs.parameters.i}} b {{ inputs.parameters.my-name }} {{other}}", "a 3 b n {{other}}"),
        ("{{never closed", "{{never closed"),
        ("{{inputs.parameters.{{inputs.parameters.i}}}}", "{{inputs.parameters.3}}"),
    ],
)
def test_substitution(text: str, result: str) -> None:
    assert substitute(text, VALUES.get) == result


def test_substitution_shares_what_it_does_not_change() -> None:
    value = {"constant": {"a": [1, "b"]}, "changed": ["{{lastRetry.exitCode}}"]}
    result = substitute(value, VALUES.get)
    assert result == {"constant": {"a": [1, "b"]}, "changed": ["7"]}
    assert result["constant"] is value["constant"]
    assert value["changed"] == ["{{lastRetry.exitCode}}"]


def test_values_are_put_in_as_they_are_and_once() -> None:
    values = {"v": 'q " \\ \n $(id) é {{w}}', "w": "never"}
    assert substitute("<{{v}}>", values.get) == '<q " \\ \n $(id) é {{w}}>'


def test_unknown_tags_can_be_required() -> None:
    with pytest.raises(SubstitutionError, match=r"^failed to resolve \{\{retries\}\}$"):
        substitute(["{{retries}}"], VALUES.get, require=True)


def test_what_json_cannot_escape_as_go_does_is_a_fault() -> None:
    with pytest.raises(SubstitutionError, match="invalid JSON"):
        substitute("{{v}}", {"v": "\x1b"}.get)


def test_tags() -> None:
    assert list(tags({"a": ["{{b}} {{=c}}", 1], "d": "e"})) == ["b", "=c"]


@pytest.mark.parametrize("source", ["sprig.upper('a')", "toJson(x)", "a | upper()", "len([1])"])
def test_the_rest_of_the_language_is_refused_by_name(source: str) -> None:
    with pytest.raises(UnsupportedExpression, match="not implemented by the embedded Argo"):
        compile_expression(source)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (0.5, "0.5"), (1e-7, "1e-07"), (1e21, "1e+21"), (True, "true"), (None, "<nil>")],
)
def test_values_are_written_as_go_does(value: Any, text: str) -> None:
    assert format_value(value) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("oops", "invalid character 'o' looking for beginning of value"),
        ("", "unexpected end of JSON input"),
        ("[1, 2", "unexpected end of JSON input"),
        ("[1 2]", "invalid character '2' after array element"),
        ("[1] x", "invalid character 'x' after top-level value"),
        ("[tru]", "invalid character ']' in literal true (expecting 'e')"),
        ("{a: 1}", "invalid character 'a' looking for beginning of object key string"),
        ("['a']", "invalid character '\\'' looking for beginning of value"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("[NaN]", "invalid character 'N' looking for beginning of value"),
        ("[01]", "invalid character '1' after array element"),
    ],
)
def test_bad_json_is_called_bad_in_the_words_of_go(text: str, message: str) -> None:
    with pytest.raises(GoJSONError) as raised:
        loads(text)
    assert str(raised.value) == message


def test_json_keeps_digits_and_sorts_keys() -> None:
    assert dumps(loads('{"b": 1.50, "a": [1e5, "<é>"]}')) == '{"a":[1e5,"\\u003cé\\u003e"],"b":1.50}'


DEEP = 5_000


@pytest.mark.parametrize("depends", ["!" * DEEP + "b", "(" * DEEP + "b" + ")" * DEEP, "b && " * DEEP + "b"])
def test_an_expression_that_is_nested_too_deeply_is_told(depends: str) -> None:
    with pytest.raises(ExpressionError, match="nested too deeply"):
        evaluate(depends, lambda name: dict.fromkeys(RESULTS, True))


def test_a_condition_that_is_nested_too_deeply_is_told() -> None:
    with pytest.raises(WhenError, match="Invalid 'when' expression"):
        should_execute("(" * DEEP + "1" + ")" * DEEP + " == 1")


def test_json_has_whole_characters_and_a_depth() -> None:
    assert loads(r'["\ud800", "\ud83d\ude00", 1.50]') == ["\ufffd", "\U0001f600", "1.50"]
    with pytest.raises(GoJSONError, match="max depth"):
        loads("[" * 100_000)


@pytest.mark.parametrize(
    ("sequence", "message"),
    [
        ({"count": 10**12}, "1,000,000,000,000 items"),
        ({"start": 5, "end": "-99999999999"}, "100,000,000,005 items"),
        ({"count": "9" * 20}, "value out of range"),
        ({"count": 2, "format": "%99999999d"}, "is wider than"),
        ({"count": 2, "format": "%1000000000d"}, "is wider than"),
        ({"count": 2, "format": "%.999999999f"}, "is wider than"),
    ],
)
def test_a_sequence_without_end_is_refused(sequence: dict[str, Any], message: str) -> None:
    with pytest.raises(ItemsError, match=message):
        read_items({"withSequence": sequence})


def test_what_stands_beside_the_number_of_a_sequence_has_any_length() -> None:
    assert read_items({"withSequence": {"count": 2, "format": "at-20261125-%03d"}}) == [
        '"at-20261125-000"',
        '"at-20261125-001"',
    ]


@pytest.mark.parametrize(
    ("param", "name", "value"),
    [
        ("null", "f(0:[])", "null"),
        ("[ ]", "f(0:[])", "[]"),
        ("true", "f(0:true)", "true"),
        ("1.50", "f(0:1.50)", "1.50"),
        ("1e3", "f(0:1e3)", "1e3"),
        ('"1"', "f(0:1)", "1"),
        (r'"q\"q"', r"f(0:q\"q)", 'q"q'),
        (r'"b\\s"', r"f(0:b\\s)", "b\\s"),
        (r'"a\nb"', r"f(0:a\nb)", "a\nb"),
        (r'"\u00fc"', r"f(0:\u00fc)", "ü"),
        ('"<&>"', "f(0:<&>)", "<&>"),
        ('"f(x)"', "f(0:fx)", "f(x)"),
        ('[ 1, "a b", null, [2, 3] ]', "f(0:[1 a b null [2,3]])", '[1,"a b",null,[2,3]]'),
        ('["<"]', "f(0:[<])", r'["\u003c"]'),
        (r'{"k": "it\"s", "a": null}', r"f(0:a:null,k:it\"s)", r'{"a":null,"k":"it\"s"}'),
        ('{"z": {"y": 1, "x": "< "}}', 'f(0:z:{"y":1,"x":"< "})', r'{"z":{"y":1,"x":"\u003c "}}'),
        ("{}", "f(0:)", "{}"),
    ],
)
def test_the_name_and_the_value_of_an_item(param: str, name: str, value: str) -> None:
    (item,) = read_items({"withParam": f" [ {param} ] "})
    assert item_name("f", 0, item) == name
    assert item_values(item)["item"] == value


def test_the_values_of_a_map_are_shown_as_they_are_written() -> None:
    (item,) = read_items({"withParam": r'[{"k": "it\"s", "n": 1.50, "m": {"b": 1, "a": 2}, "u": "\u003c"}]'})
    found = {key: text for key, text in item_values(item).items() if key != "item"}
    assert found == {"item.k": r"it\"s", "item.n": "1.50", "item.m": '{"b":1,"a":2}', "item.u": "<"}


def test_items_in_the_manifest_are_written_anew() -> None:
    items = read_items({"withItems": ["ü", 'q"', 1.5, {"b": 1, "a": None}, None]})
    assert items == ['"ü"', r'"q\""', "1.5", '{"b":1,"a":null}', "null"]
