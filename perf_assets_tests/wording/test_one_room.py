"""Numbers, units and times are written for people in `wording`, and nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import perf_assets

PACKAGE = Path(perf_assets.__file__).parent
ISO = "%Y-%m-%dT%H:%M:%SZ"
ALLOWED = {
    ("formats/otlp.py", "round"): "the statistic in the name of a metric, such as p99.9",
    ("formats/otlp.py", "g"): "the statistic in the name of a metric, such as p99.9",
    ("report/theme.py", "%Y-%m-%dT%H:%M:%S"): "data of a picture, read by the renderer",
    ("report/theme.py", ".6g"): "data of a picture, read by the renderer",
    ("simulation/fleet.py", "strftime"): "content of a made-up file",
    ("simulation/fleet.py", "02d"): "names in a made-up file",
    ("simulation/fleet.py", "04d"): "names in a made-up file",
    ("simulation/fleet.py", "g"): "names in a made-up file",
    ("simulation/fleet.py", ".7g"): "content of a made-up file",
    ("sources/github_actions.py", ISO): "parameter of an API",
    ("sources/gitlab.py", ISO): "parameter of an API",
    ("sources/prometheus.py", ISO): "name of a file",
    ("sources/prometheus.py", "unit"): "durations of PromQL",
    ("warehouse/checksums.py", "{:.11e}"): "SQL of a checksum",
    ("warehouse/snapshot.py", "08d"): "name of a file",
}
"""Formatting that is not for people, by file and by what the check reports, with the reason."""

_ALIGNED = re.compile(r"(.?[<>^])?\d*")
_HEXADECIMAL = re.compile(r"0?\d*x")
_REPLACEMENT = re.compile(r"\{[^{}:]*:[^{}]+\}")
_UNIT = re.compile(r"\s?(%|‰|°)|\s?(ns|µs|us|ms|kB|KB|MB|GB|TB|KiB|MiB|GiB|By|Hz)\b|\s(s|min|h|d|B|bytes)\b(?!\w)")
_IN_TEMPLATE = {
    "format": re.compile(r"\.format\(|\|\s*(format|filesizeformat|round)\b"),
    "strftime": re.compile(r"strftime|isoformat"),
    "unit": re.compile(r"\}\}(\s?(%|°)|\s(ms|s|d|kB|MB|GB)\b)"),
}


def formatting(source: str) -> Iterator[str]:
    """What a module formats by itself: format specifications, or the kind of the formatting."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.JoinedStr():
                yield from _in_text(node)
            case ast.Call(func=ast.Attribute(attr="strftime" | "ctime" as name)):
                yield name
            case ast.Call(func=ast.Name(id="format")):
                yield "format"
            case ast.BinOp(op=ast.Mod(), left=ast.Constant(value=str())):
                yield "%"
            case ast.BinOp(op=ast.Add(), left=left, right=ast.Constant(value=str(text))) if _UNIT.match(text):
                if not isinstance(left, ast.Constant):
                    yield "unit"
            case ast.Call(func=ast.Name(id="str"), args=[ast.Call(func=ast.Name(id="round"))]):
                yield "round"
            case ast.Constant(value=str(text)):
                yield from (spec[0] for spec in _REPLACEMENT.finditer(text) if _is_for_numbers(spec[0]))


def _in_text(text: ast.JoinedStr) -> Iterator[str]:
    following = [*text.values[1:], None]
    for part, then in zip(text.values, following, strict=True):
        if not isinstance(part, ast.FormattedValue):
            continue
        if any(isinstance(node, ast.Call) and _called(node) == "round" for node in ast.walk(part.value)):
            yield "round"
        if part.format_spec is not None:
            written = ast.unparse(part.format_spec)[2:-1]
            if not (_ALIGNED.fullmatch(written) or _HEXADECIMAL.fullmatch(written)):
                yield written
        if isinstance(then, ast.Constant) and _UNIT.match(str(then.value)):
            yield "unit"


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _is_for_numbers(replacement: str) -> bool:
    return re.fullmatch(r"\{[^{}:]*:([,+]|\.\d|%|\d*[dfgex])[^{}\s]*\}", replacement) is not None


def in_template(source: str) -> Iterator[str]:
    """The same of a Jinja template."""
    for name, pattern in _IN_TEMPLATE.items():
        yield from (name for _ in pattern.finditer(source))


def found() -> set[tuple[str, str]]:
    files = [file for file in PACKAGE.rglob("*.py") if file.relative_to(PACKAGE).parts[0] != "wording"]
    assert len(files) > 100
    return {
        (file.relative_to(PACKAGE).as_posix(), what)
        for file in files
        for what in formatting(file.read_text(encoding="utf-8"))
    }


def test_only_the_wording_room_formats_for_people() -> None:
    assert sorted(found() - set(ALLOWED)) == []


def test_every_exception_is_needed() -> None:
    assert sorted(set(ALLOWED) - found()) == []


def test_templates_leave_formatting_to_the_wording_room() -> None:
    templates = list(PACKAGE.rglob("*.html"))
    assert templates
    assert [(file.name, what) for file in templates for what in in_template(file.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("snippet", "what"),
    [
        ('f"{count:,} rows"', ","), ('f"{ratio:.1%}"', ".1%"), ('f"{value:.3g}"', ".3g"), ('f"{value:.1f}"', ".1f"),
        ('f"{value:{width}.1f}"', "{width}.1f"), ('f"{at:%Y-%m-%d}"', "%Y-%m-%d"), ('f"{slot:02d}:00"', "02d"),
        ('f"{value} ms"', "unit"), ('f"{100 * ratio} %"', "unit"), ('f"{seconds} s each"', "unit"),
        ('f"{hot}°C"', "unit"), ('f"{round(value, 1)} of them"', "round"), ('str(round(value))', "round"),
        ('at.strftime("%d %b")', "strftime"), ('"{:,}".format(count)', "{:,}"),
        ('"less by {share:.1%}".format(share=x)', "{share:.1%}"), ('"%.2f" % value', "%"),
        ('format(value, ".2f")', "format"),
        ('str(value) + " %"', "unit"), ('f"a{b}c{count:,}"', ","),
    ],
)  # fmt: skip
def test_the_check_finds_formatting(snippet: str, what: str) -> None:
    assert list(formatting(snippet)) == [what]


@pytest.mark.parametrize(
    "snippet",
    [
        'f"{name:<16} {detail}"', 'f"{month:0>2}"', 'f"{digest:016x}"', 'f"{nouns}s"', 'f"{count} files"', "a % b",
        'f"{share(part)} of them"', 'f"over 20 % longer, {name}"', '"SELECT {table}".format(table=name)',
        'f"{name}s each"', '"SELECT m[:, {n}]"', "round(value)", 'f"{node} min_size"',
    ],
)  # fmt: skip
def test_the_check_leaves_other_text_alone(snippet: str) -> None:
    assert list(formatting(snippet)) == []


@pytest.mark.parametrize(
    ("snippet", "what"),
    [
        ('<td>{{ "{:,}".format(count) }}</td>', "format"), ("{{ ratio | round(2) }}", "format"),
        ('{{ at.strftime("%d") }}', "strftime"), ("{{ share }} %", "unit"), ("{{ share }}%", "unit"),
        ("{{ days }} d", "unit"),
    ],
)  # fmt: skip
def test_the_check_finds_formatting_in_templates(snippet: str, what: str) -> None:
    assert list(in_template(snippet)) == [what]


def test_templates_may_show_words() -> None:
    assert list(in_template("{{ quantities.share(row.share) }}{% if row.kind %} {{ row.kind }}s{% endif %}")) == []
