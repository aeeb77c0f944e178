"""Any folder that fsspec reaches (a local one, s3://, gs://, abfs://, sftp://...): the files that changed on a day.

A file is new when its path has not been landed with this size and ETag, or time of change where there is no ETag. Its
day is that of its last change; of today where the store tells none. Hidden files and those with an unfinished suffix
are left alone, and a file that changes while it is read comes with the next pull. Files that only describe others come
with these.
"""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, RootModel

from perf_assets.plugins import Words
from perf_assets.sources.addresses import shown_url
from perf_assets.sources.errors import NotFoundError, SettingsError, SourceError, StorageError, UnauthorizedError
from perf_assets.sources.pulling import Day, Delivery, Found, PullDay, Seen
from perf_assets.sources.source import Opened, Source, Surroundings

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

FILES_AT_ONCE = 200
BYTES_AT_ONCE = 1 << 28
_UNFINISHED = (".part", ".tmp", ".writing", ".crdownload")
_TIMES = ("LastModified", "mtime", "updated", "last_modified", "modified", "created")
_TAGS = ("ETag", "etag", "md5Hash", "content_md5")


class Folder(BaseModel, frozen=True, extra="forbid"):
    """`options` are those of the file system, such as `endpoint_url`; credentials come as its library finds them."""

    url: Words
    options: dict[str, Any] = {}


class Folders(Source, RootModel[tuple[Folder, ...]]):
    """As many folders as there are."""

    section: ClassVar[str] = "folders"
    origin: ClassVar[str] = "folder"
    kinds: ClassVar[frozenset[str]] = frozenset({"python", "file"})
    description: ClassVar[str] = (
        "Files that changed on a day in folders of any store: local ones, S3, Google Cloud Storage and others."
    )
    remedy: ClassVar[str] = "Set sources.folders."

    root: tuple[Folder, ...] = ()

    @property
    def configured(self) -> bool:
        return bool(self.root)

    @contextmanager
    def opened(self, around: Surroundings) -> Iterator[Opened]:
        yield Opened(self.scopes(around.now))

    def scopes(self, now: datetime) -> dict[str, PullDay]:
        return {shown_url(folder.url): _pull_of(folder, now) for folder in self.root}


@dataclass(frozen=True)
class _File:
    path: str
    name: str
    size: int | None
    changed_at: datetime
    sign: str


def _pull_of(folder: Folder, now: datetime) -> PullDay:
    """A folder is listed once a pull, whatever number of days is asked for and whatever comes of it."""

    @cache
    def listed() -> tuple[AbstractFileSystem, list[_File]] | SourceError:
        try:
            return _list(folder, now)
        except SourceError as error:
            return error

    return partial(_files_of_day, folder, listed)


def _files_of_day(
    folder: Folder,
    listed: Callable[[], tuple[AbstractFileSystem, list[_File]] | SourceError],
    day: Day,
    seen: Seen,
) -> Iterator[Found]:
    from perf_assets.sources.files import is_part

    found = listed()
    if isinstance(found, SourceError):
        raise found
    system, files = found
    new = [
        file
        for file in files
        if day.has(file.changed_at) and seen.get(file.name) != file.sign and not is_part(Path(file.name))
    ]
    unsteady = []
    while new:
        with tempfile.TemporaryDirectory() as place:
            batch: list[tuple[_File, Path]] = []
            size = 0
            while new and len(batch) < FILES_AT_ONCE and size < BYTES_AT_ONCE:
                file, copy = new.pop(), Path(place) / str(len(batch))
                if _copied(folder, system, file, copy):
                    batch.append((file, copy))
                    size += copy.stat().st_size
                else:
                    unsteady.append(file.name)
            beside = _Beside(folder, system, files, Path(place))
            deliveries = tuple(
                Delivery(file.name, copy, companions=beside.companions(file.name, copy)) for file, copy in batch
            )
            yield Found(deliveries, {file.name: file.sign for file, _ in batch})
    if unsteady:
        raise StorageError(
            f"{shown_url(folder.url)}: {len(unsteady)} files have changed since they were listed, such as "
            f"{unsteady[0]}; they are read when they have stopped changing."
        )


class _Beside:
    """Files of a folder that describe others, each copied once."""

    def __init__(self, folder: Folder, system: AbstractFileSystem, files: Sequence[_File], place: Path) -> None:
        self._by_name = {file.name: file for file in files}
        self._copies: dict[str, Path | None] = {}
        self._copy = partial(_copied, folder, system)
        self._place = place

    def companions(self, name: str, copy: Path) -> dict[str, Path]:
        """What describes the file called `name`, by its role."""
        from perf_assets.sources.files import companions_of

        def there(role_place: str) -> Path | None:
            other = posixpath.normpath(posixpath.join(posixpath.dirname(name), role_place))
            if other not in self._copies:
                target = self._place / f"beside-{len(self._copies)}"
                file = self._by_name.get(other)
                self._copies[other] = target if file is not None and self._copy(file, target) else None
            return self._copies[other]

        return companions_of(copy, there)


def _list(folder: Folder, now: datetime) -> tuple[AbstractFileSystem, list[_File]]:
    system, root = _opened(folder)
    try:
        system.invalidate_cache()
        if "file" in system.protocol and not system.exists(root):
            raise FileNotFoundError
        found = system.find(root, detail=True)
    except _storage_errors() as error:
        raise _told(folder, "", error) from error
    files = [_file(root, path, info, now) for path, info in sorted(found.items()) if info.get("type") != "directory"]
    return system, [file for file in files if _is_complete(file.name)]


def _opened(folder: Folder) -> tuple[AbstractFileSystem, str]:
    from fsspec.core import url_to_fs

    try:
        system, root = url_to_fs(folder.url, **folder.options)
    except ImportError as error:
        raise SettingsError(
            f"{shown_url(folder.url)}: {error}. For S3 install perf-assets[s3], for others what fsspec names."
        ) from error
    except (ValueError, TypeError) as error:
        raise SettingsError(f"{shown_url(folder.url)}: not a folder that can be opened ({error}).") from error
    return system, str(root)


def _file(root: str, path: str, info: Mapping[str, Any], now: datetime) -> _File:
    changed_at = next((at for key in _TIMES if (at := _moment(info.get(key))) is not None), None)
    tag = next((str(info[key]) for key in _TAGS if info.get(key)), None)
    size = info.get("size")
    name = path.removeprefix(root).lstrip("/") or PurePosixPath(path).name
    return _File(path, name, size, changed_at or now, f"{size} {tag or changed_at}")


def _moment(value: object) -> datetime | None:
    """Naive UTC from what file systems say of the last change."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).replace(tzinfo=None)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def _is_complete(name: str) -> bool:
    path = PurePosixPath(name)
    return not any(part.startswith(".") for part in path.parts) and path.suffix not in _UNFINISHED


def _copied(folder: Folder, system: AbstractFileSystem, file: _File, copy: Path) -> bool:
    """Copy a file; False if it is not, or no longer, what was listed."""
    try:
        system.get_file(file.path, str(copy))
    except FileNotFoundError:
        return False
    except _storage_errors() as error:
        raise _told(folder, file.name, error) from error
    return file.size is None or copy.stat().st_size == file.size


def _storage_errors() -> tuple[type[Exception], ...]:
    """What file systems raise. Those of S3 let some of their library's own errors through."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return (OSError,)
    return (OSError, BotoCoreError, ClientError)


def _told(folder: Folder, name: str, error: Exception) -> SourceError:
    place = f"{shown_url(folder.url)}{': ' + name if name else ''}"
    reason = str(error) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return NotFoundError(f"{place}: no such file or folder. Check the address in sources.folders.", 404)
    if isinstance(error, PermissionError) or "credentials" in reason:
        return UnauthorizedError(
            f"{place}: may not be read ({reason}). Check the credentials and what they allow.", 403
        )
    return StorageError(f"{place}: cannot be read ({reason}). Check that the store can be reached.")
