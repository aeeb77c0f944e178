"""Reading landed files into a stage, in the format that each is recognised as."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from perf_assets.formats.measurement import Format, FormatError, Input, Rejection, fragment_of, unreadable
from perf_assets.formats.opening import open_received
from perf_assets.formats.recognition import head_of, recognise
from perf_assets.landing import LandedFile, content_hash
from perf_assets.scratch import Scratch
from perf_assets.warehouse.loading.rules import Rules
from perf_assets.warehouse.loading.stage import Part, Stage

ROWS_IN_A_GROUP = 200_000
"""A group with as many rows takes no further file."""
_OF_THE_MACHINE = (
    duckdb.OutOfMemoryException, duckdb.IOException, duckdb.InterruptException, duckdb.FatalException,
    duckdb.InternalException, duckdb.TransactionException, duckdb.ParserException, duckdb.BinderException,
    duckdb.CatalogException,
)  # fmt: skip
"""Errors that no file is to blame for."""


class Group:
    """Files that have been read and are stored in one transaction."""

    def __init__(self, scratch: Path, rules: Rules) -> None:
        self._scratch = Scratch(scratch)
        self._folder = self._scratch.path
        self._rules = rules
        self.stage = Stage(self._folder / "spilled", rules)
        self.files: list[LandedFile] = []
        self._scanned: Input | None = None

    def __enter__(self) -> Group:
        return self

    def __exit__(self, *_: object) -> None:
        self.stage.con.close()
        self._scratch.close()

    @property
    def is_full(self) -> bool:
        return self.stage.rows >= ROWS_IN_A_GROUP

    def takes(self, file: LandedFile) -> bool:
        """Whether a file may be in a group with those that are there: sample data alone, simulated data alone."""
        return not self.files or (file.origin == "sample", file.simulated) == (
            self.files[0].origin == "sample",
            self.files[0].simulated,
        )

    def read(self, file: LandedFile) -> bool:
        """Read a file; False for one that is a table already and is read faster alone."""
        source = self._input(file)
        unpacked = self._folder / "unpacked"
        for opened in open_received(source, unpacked):
            if opened.format is not None and opened.format.scan is not None and opened.source is source:
                return False
            own_run = (
                None
                if opened.source is source
                else content_hash(opened.source.path, opened.source.companions, file.given)
            )
            part = self.stage.part(file, opened.source.name, opened.format.name if opened.format else None, own_run)
            if opened.format is None:
                self._refuse(part, opened.problem, opened.source)
            else:
                self._read(part, opened.format, opened.source)
        self.files.append(file)
        if unpacked.exists():
            shutil.rmtree(unpacked)
        return True

    def read_alone(self, file: LandedFile) -> None:
        """Read a file that is a table already."""
        source = self._input(file)
        found = recognise(source)
        part = self.stage.part(file, source.name, found.name)
        self.files.append(file)
        assert found.scan is not None
        try:
            self.stage.scan(part, found.scan(self.stage.con, source, self._folder))
            self._scanned = source
        except FormatError as error:
            self._refuse(part, error, source)

    def refuse_scanned(self, error: duckdb.Error) -> bool:
        """Where `error` came from reading a scanned file, send that to quarantine whole; False if there is none."""
        if self._scanned is None or isinstance(error, _OF_THE_MACHINE):
            return False
        [scanned] = self.stage.parts
        self.stage.con.close()
        self.stage = Stage(self._folder / "spilled", self._rules)
        self._refuse(
            self.stage.part(scanned.file, scanned.name, scanned.format), unreadable(scanned.name, error), self._scanned
        )
        self._scanned = None
        return True

    def _read(self, part: Part, found: Format, source: Input) -> None:
        try:
            for chunk in found.read(source):
                self.stage.add(part, chunk)
        except FormatError as error:
            self._refuse(part, error, source)

    def _refuse(self, part: Part, error: FormatError | None, source: Input) -> None:
        assert error is not None
        beginning = head_of(source.path, source.name).text
        # Binary content is not quoted.
        fragment = "" if "\0" in beginning else fragment_of(beginning)
        self.stage.reject(part, [Rejection(error.location, "", error.reason, str(error), fragment)])

    def _input(self, file: LandedFile) -> Input:
        zone = self._rules.zone(file.given)
        return Input(file.path, file.name, file.received_at, self._rules.catalog, zone, file.companions)
