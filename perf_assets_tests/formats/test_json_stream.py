"""JSON that breaks off: what is whole is kept, half a value never is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.formats.json_stream import read_json

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, st.text(alphabet=" \n\t", max_size=3))
def test_whole_json_is_read_as_it_is(value: Any, space: str) -> None:
    text = space + json.dumps(value) + space
    assert read_json(text) == (value, len(text), None)


@given(st.lists(json_values, max_size=5), st.data())
def test_of_a_list_cut_anywhere_the_whole_elements_are_kept(values: list[Any], data: st.DataObject) -> None:
    text = json.dumps(values)
    found, _, damage = read_json(text[: data.draw(st.integers(1, len(text) - 1))])
    assert damage is not None
    assert isinstance(found, list)
    whole = [element for element in found[:-1] if element not in values]
    assert whole == []
    assert found[:-1] == values[: max(len(found) - 1, 0)]


@pytest.mark.parametrize(
    ("text", "kept", "path"),
    [
        ("", None, ""),
        ("nonsense", None, ""),
        ('{"a": 1', None, "a"),
        ('{"a": [1, 2', {"a": [1]}, "a[1]"),
        ('{"a": [{"b": 1}, {"b": 2', {"a": [{"b": 1}]}, "a[1].b"),
        ('{"a": ["x" "y"]}', {"a": ["x"]}, "a[1]"),
        ('{"a": {"b": [1]}, "c"', {"a": {"b": [1]}}, ""),
        ("[" * 5000, None, None),
        ("[1, " + "9" * 5000 + "]", [1], "[1]"),
    ],
)
def test_the_damage_has_a_place(text: str, kept: object, path: str | None) -> None:
    found, _, damage = read_json(text)
    assert damage is not None
    if path is not None:
        assert (found, damage.path) == (kept, path)
