"""Archives: their files, what belongs together, and no more than the limits allow."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.catalog import load_catalog
from perf_assets.formats import opening
from perf_assets.formats.measurement import Input
from perf_assets.formats.opening import Opened, open_received
from perf_assets_tests.formats.reading import RECEIVED_AT

LINE = b'{"timestamp": 1700000000, "metric_name": "a", "metric_value": 1}\n'
RESULTS = {"one.jsonl": LINE, "deep/two.jsonl": LINE * 2}


def zipped(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def opened(folder: Path, content: bytes) -> list[Opened]:
    file = folder / "received"
    file.write_bytes(content)
    return list(open_received(Input(file, "up", RECEIVED_AT, load_catalog()), folder / "scratch"))


def test_a_plain_file_is_itself(tmp_path: Path) -> None:
    [found] = opened(tmp_path, LINE)
    assert (found.source.name, found.format and found.format.name) == ("up", "long-table-jsonl")
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize(
    "pack", [zipped, tarred, lambda files: tarred(files, "w:gz"), lambda files: zipped({"inner.zip": zipped(files)})]
)
def test_the_files_of_an_archive_are_found(tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    found = opened(tmp_path, pack(RESULTS))
    assert [one.problem for one in found] == [None, None]
    assert [one.source.name.rpartition("up/")[2].removeprefix("inner.zip/") for one in found] == list(RESULTS)
    assert [one.source.path.read_bytes() for one in found] == list(RESULTS.values())


def test_names_that_are_not_utf_8_are_replaced(tmp_path: Path) -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", encoding="latin-1", format=tarfile.GNU_FORMAT) as archive:
        entry = tarfile.TarInfo("größe.jsonl")
        entry.size = len(LINE)
        archive.addfile(entry, io.BytesIO(LINE))
    [found] = opened(tmp_path, target.getvalue())
    found.source.name.encode()
    assert found.source.name.endswith("e.jsonl")


@pytest.mark.parametrize("compress", [gzip.compress, __import__("bz2").compress, __import__("lzma").compress])
def test_a_compressed_file_keeps_its_name(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    [found] = opened(tmp_path, compress(LINE))
    assert (found.source.name, found.source.path.read_bytes()) == ("up", LINE)


def test_files_that_describe_one_are_its_companions(tmp_path: Path) -> None:
    estimates = b'{"mean": {"point_estimate": 1.0}, "slope": null, "median": {}, "std_dev": {}, "median_abs_dev": {}}'
    folder = "criterion/fib 20/new"
    files = {f"{folder}/estimates.json": estimates, f"{folder}/benchmark.json": b"{}", f"{folder}/tukey.json": b"[]"}
    [found] = opened(tmp_path, zipped(files))
    assert found.source.companions["benchmark"].read_bytes() == b"{}"


def test_names_lead_nowhere_outside(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    found = opened(inside, tarred({"a/../../../escaped.jsonl": LINE, "/etc/absolute.jsonl": LINE}))
    assert len(found) == 2
    assert all(one.source.path.parent == inside / "scratch" for one in found)
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


def test_hidden_files_are_left_alone(tmp_path: Path) -> None:
    [found] = opened(tmp_path, zipped({".git/x.jsonl": LINE, "__MACOSX/y.jsonl": LINE, "z.jsonl": LINE}))
    assert found.source.name == "up/z.jsonl"


def reasons(found: list[Opened]) -> list[str | None]:
    return [one.problem.reason if one.problem else None for one in found]


@pytest.mark.parametrize("pack", [lambda content: zipped({"zeros": content}), gzip.compress])
def test_a_bomb_is_refused(tmp_path: Path, pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_ALWAYS_ALLOWED", 1 << 20)
    assert reasons(opened(tmp_path, pack(bytes(64 << 20)))) == ["unsafe"]
    assert sum(path.stat().st_size for path in (tmp_path / "scratch").iterdir()) < 20 << 20


@pytest.mark.parametrize("inside", [lambda files: files, lambda files: {"a": zipped(files), "b": zipped(files)}])
def test_a_bomb_in_many_pieces_is_refused(
    tmp_path: Path, inside: Callable[[dict[str, bytes]], dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_ALWAYS_ALLOWED", 1 << 20)
    pieces = {f"{number}.jsonl": LINE + bytes(300_000) for number in range(6)}
    found = opened(tmp_path, zipped(inside(pieces)))
    assert reasons(found) == [None, None, None, "unsafe"]
    assert sum(path.stat().st_size for path in (tmp_path / "scratch").iterdir()) < 2 << 20


def test_archives_beside_one_another_keep_their_own_files(tmp_path: Path) -> None:
    file = tmp_path / ("a" * 64)
    file.write_bytes(zipped({"one.zip": zipped({"x": LINE}), "two.zip": zipped({"x": LINE * 2})}))
    found = list(open_received(Input(file, "up", RECEIVED_AT, load_catalog()), tmp_path / "scratch"))
    assert [one.source.path.read_bytes() for one in found] == [LINE, LINE * 2]


def test_too_many_files_and_archives_too_deep_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reasons(opened(tmp_path, zipped({"a": zipped({"b": zipped({"c": LINE})})}))) == ["unsafe"]
    monkeypatch.setattr(opening, "MOST_MEMBERS", 2)
    # What was unpacked before the limit is read.
    assert reasons(opened(tmp_path, zipped({str(n): LINE for n in range(5)}))) == [None, None, "unsafe"]


def test_an_empty_archive_is_told(tmp_path: Path) -> None:
    assert reasons(opened(tmp_path, zipped({}))) == ["unreadable"]


def test_an_encrypted_archive_is_told(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.jsonl": LINE}))
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(sign) + place] |= 1
    assert reasons(opened(tmp_path, bytes(content))) == ["truncated"]


def test_a_file_without_a_name_is_damage(tmp_path: Path) -> None:
    content = bytearray(zipped({"x": LINE}))
    content[content.index(b"PK\x01\x02") + 28] = 0
    assert reasons(opened(tmp_path, bytes(content))) == ["truncated"]


def test_a_name_that_is_not_utf_8_is_damage(tmp_path: Path) -> None:
    content = zipped({"größe": LINE})
    assert reasons(opened(tmp_path, content)) == [None]
    assert reasons(opened(tmp_path, content.replace("größe".encode(), b"gr\xffsse!", 1))) == ["truncated"]


@settings(max_examples=60, deadline=None)
@given(pack=st.sampled_from([zipped, tarred, lambda files: tarred(files, "w:gz")]), data=st.data())
def test_a_damaged_archive_gives_files_or_says_why(
    tmp_path_factory: pytest.TempPathFactory, pack: Callable[[dict[str, bytes]], bytes], data: st.DataObject
) -> None:
    content = bytearray(pack(RESULTS))
    end = data.draw(st.integers(len(content) // 2, len(content)))
    place, byte = data.draw(st.integers(0, end - 1)), data.draw(st.integers(0, 255))
    content[place] = byte
    for one in opened(tmp_path_factory.mktemp("damaged"), bytes(content[:end])):
        assert one.format is not None or one.problem is not None
