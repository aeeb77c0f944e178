"""Pulling from folders: a local one, one in memory, and a bucket on a local server that answers as S3 does."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote
from xml.sax.saxutils import escape

import fsspec
import pytest

from perf_assets.landing import utc_now
from perf_assets.sources import folders as folders_module
from perf_assets.sources.folders import Folder, Folders
from perf_assets.sources.pulling import Pulled
from perf_assets_tests.formats import test_asv
from perf_assets_tests.sources.dashboard_server import Answer
from perf_assets_tests.sources.pull import NOON, TODAY, Site, errors_of
from perf_assets_tests.sources.service import Request, Service, serving

SECRET_KEY = "hunter2-secret-access-key"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "home", "folder")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


def write(folder: Path, name: str, content: bytes, changed_at: datetime = NOON) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    moment = changed_at.replace(tzinfo=UTC).timestamp()
    os.utime(file, (moment, moment))
    return file


def pull(site: Site, *urls: object, days: int = 8, **options: object) -> Pulled:
    folders = Folders(tuple(Folder(url=str(url), options=options) for url in urls))
    return site.pull_scopes(folders.scopes(site.now), days)


def test_a_folder_is_its_files_by_the_day_of_their_last_change(site, folder):
    write(folder, "a.json", b"1")
    write(folder, "deep/er/b.csv", b"2", NOON - timedelta(days=3))
    write(folder, "old.json", b"3", NOON - timedelta(days=8))
    for name in (".hidden", "c.json.part", ".git/config", "d.tmp"):
        write(folder, name, b"4")
    pulled = pull(site, folder)
    assert (errors_of(pulled), pulled.files, pulled.bytes) == ([], 2, 2)
    assert site.bodies() == {"a.json": b"1", "deep/er/b.csv": b"2"}
    assert {file.origin for file in site.files()} == {"folder"}
    assert site.seen("2026-09-07")[str(folder)]["seen"].keys() == {"deep/er/b.csv"}


def test_a_second_pull_lands_only_what_changed(site, folder):
    write(folder, "a.json", b"1")
    write(folder, "b.json", b"2", NOON - timedelta(days=3))
    pull(site, folder)
    assert pull(site, folder).files == 0
    write(folder, "a.json", b"11")
    write(folder, "late.json", b"5", NOON - timedelta(days=6))
    write(folder, "b.json", b"3", NOON - timedelta(days=2))
    pulled = pull(site, folder)
    assert (pulled.files, pulled.new_files) == (3, 3)
    assert site.names() == ["a.json", "a.json", "b.json", "b.json", "late.json"]


def test_files_come_with_those_that_describe_them(site, folder):
    write(folder, "asv/bench-1/abc-py.json", test_asv.WHOLE)
    write(folder, "asv/benchmarks.json", test_asv.described(), NOON - timedelta(days=60))
    write(folder, "asv/bench-1/machine.json", json.dumps(test_asv.MACHINE).encode())
    pulled = pull(site, folder)
    assert errors_of(pulled) == []
    [file] = [file for file in site.files() if file.name.endswith("abc-py.json")]
    assert set(file.companions) == {"benchmarks", "machine"}
    assert file.companions["benchmarks"].read_bytes() == test_asv.described()
    assert pull(site, folder).files == 0


def test_many_files_come_in_several_parts(site, folder, monkeypatch):
    monkeypatch.setattr(folders_module, "FILES_AT_ONCE", 3)
    monkeypatch.setattr(folders_module, "BYTES_AT_ONCE", 10)
    for number in range(8):
        write(folder, f"{number}.json", b"%d" % number * 4)
    assert pull(site, folder).files == 8
    assert len(site.names()) == 8


def test_a_file_that_changes_while_it_is_read_comes_with_the_next_pull(site, folder, monkeypatch):
    write(folder, "a.json", b"1")
    write(folder, "growing.json", b"2")
    write(folder, "vanishing.json", b"3")
    system = fsspec.filesystem("file")
    get_file = type(system).get_file

    def growing(self, path, copy, **more):
        if path.endswith("vanishing.json"):
            Path(path).unlink()
        get_file(self, path, copy, **more)
        if path.endswith("growing.json"):
            Path(copy).write_bytes(b"11")

    monkeypatch.setattr(type(system), "get_file", growing)
    pulled = pull(site, folder)
    (told,) = errors_of(pulled)
    assert "2 files have changed since they were listed, such as " in told
    assert pulled.may_pass
    monkeypatch.undo()
    assert pull(site, folder).files == 1
    assert site.names() == ["a.json", "growing.json"]


def test_folders_that_are_not_there_leave_the_others_alone(site, folder):
    write(folder, "a.json", b"1")
    pulled = pull(site, folder.with_name("nowhere"), folder)
    (told,) = errors_of(pulled)
    assert "nowhere: no such file or folder. Check the address in sources.folders" in told
    assert pulled.files == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [("nonsense://x/y", "Protocol not known"), ("abfs://x/y", "for others what fsspec names"), ("gs://x/y", "install")],
)
def test_stores_that_cannot_be_opened(site, url, message):
    assert message in errors_of(pull(site, url))[0]


def test_a_folder_in_memory(site):
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/results/a.json", b"1")
    today = utc_now()
    folders = Folders((Folder(url="memory://results"),))
    now = replace(site, now=today)
    assert now.pull_scopes(folders.scopes(today), 1, today.date()).files == 1
    assert now.pull_scopes(folders.scopes(today), 1, today.date()).files == 0
    memory.rm("/results", recursive=True)


@dataclass
class Bucket:
    """Objects of the bucket `results` by key, each with its time; `page` is how many a list gives at once."""

    service: Service
    objects: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)
    page: int = 1_000

    def answer(self, request: Request) -> Answer:
        if "hunter2" in request.headers.get("authorization", "") or "authorization" not in request.headers:
            return error(403, "AccessDenied")
        bucket, _, key = unquote(request.path).removeprefix("/").partition("/")
        if bucket != "results":
            return error(404, "NoSuchBucket")
        if request.query.get("list-type") == "2":
            return self.listed(request)
        if key not in self.objects:
            return error(404, "NoSuchKey")
        body, changed_at = self.objects[key]
        modified = f"{changed_at:%a, %d %b %Y %H:%M:%S GMT}"
        return Answer(body, headers=(("ETag", etag(body)), ("Last-Modified", modified)))

    def listed(self, request: Request) -> Answer:
        keys = sorted(key for key in self.objects if key.startswith(request.query.get("prefix", "")))
        start = int(request.query.get("continuation-token", "0"))
        more = len(keys) > start + self.page
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{self.objects[key][1]:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<ETag>{escape(etag(self.objects[key][0]))}</ETag><Size>{len(self.objects[key][0])}</Size></Contents>"
            for key in keys[start : start + self.page]
        )
        token = f"<NextContinuationToken>{start + self.page}</NextContinuationToken>" if more else ""
        return Answer(
            f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>results</Name><IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}</ListBucketResult>".encode(),
            headers=(("Content-Type", "application/xml"),),
        )


def etag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'  # noqa: S324 - what S3 does


def error(status: int, code: str) -> Answer:
    return Answer(f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode(), status)


@pytest.fixture
def bucket(monkeypatch, tmp_path) -> Iterator[Bucket]:
    pytest.importorskip("s3fs")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with serving(lambda request: Answer(status=500)) as service:
        bucket = Bucket(service)
        service.answer = bucket.answer
        yield bucket


def test_a_bucket_is_listed_page_by_page_and_only_what_changed_is_fetched(site, bucket):
    bucket.page = 2
    for number in range(5):
        bucket.objects[f"ci/run {number}.json"] = (b"%d" % number, NOON - timedelta(days=number))
    pulled = pull(site, "s3://results/ci", endpoint_url=bucket.service.url)
    assert (errors_of(pulled), pulled.new_files) == ([], 5)
    assert site.names() == [f"run {number}.json" for number in range(5)]
    bucket.objects["ci/run 4.json"] = (b"x", NOON - timedelta(days=4))
    bucket.objects["ci/late.json"] = (b"late", NOON - timedelta(days=6))
    before = len(bucket.service.requests)
    pulled = pull(site, "s3://results/ci", endpoint_url=bucket.service.url)
    assert (errors_of(pulled), pulled.new_files) == ([], 2)
    fetched = [r.path for r in bucket.service.requests[before:] if "list-type" not in r.query]
    assert sorted(fetched) == ["/results/ci/late.json", "/results/ci/run%204.json"]
    assert SECRET_KEY.encode() not in site.everything_kept()


def test_a_bucket_that_may_not_be_read_or_is_not_there(site, bucket):
    bucket.service.troubles = [("", error(403, "AccessDenied"))] * 20
    (told,) = errors_of(pull(site, "s3://results/ci", endpoint_url=bucket.service.url))
    assert "Check the credentials" in told
    bucket.service.troubles = []
    (told,) = errors_of(pull(site, "s3://nothing/ci", endpoint_url=bucket.service.url))
    assert "no such file or folder" in told
    assert SECRET_KEY not in told


def test_a_bucket_without_credentials(site, bucket, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (told,) = errors_of(pull(site, "s3://results/ci", endpoint_url=bucket.service.url))
    assert "Check the credentials" in told


def test_an_address_is_shown_without_its_password(site):
    (told,) = errors_of(pull(site, "nonsense://user:hunter2@host/path"))
    assert "hunter2" not in told
    assert b"hunter2" not in site.everything_kept()
    assert TODAY.isoformat() in told
