"""The command in this process and as a program, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from perf_assets.cli.main import main
from perf_assets.warehouse import open_snapshot

CONFIG = "[forecast]\nhorizon = 3\nmax_headline = 0\n"
COMMAND = (sys.executable, "-m", "perf_assets.cli.main")


@dataclass(frozen=True)
class Site:
    """A folder with a home and a configuration; `environ` is all that is set of what the product reads."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def config(self) -> Path:
        return self.folder / "perf-assets.toml"

    def variables(self) -> dict[str, str]:
        if not self.config.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self.config.write_text(CONFIG)
        places = {"PERF_ASSETS_HOME": str(self.home), "PERF_ASSETS_CONFIG": str(self.config), "COLUMNS": "200"}
        return places | dict(self.environ)

    def call(self, *arguments: object) -> Result:
        """The command in this process."""
        return CliRunner(env=self.variables()).invoke(main, [str(argument) for argument in arguments])

    def json(self, *arguments: object) -> Any:
        result = self.call(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the newest snapshot."""
        with open_snapshot(self.home / "snapshots") as con:
            return con.execute(sql).fetchall()

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """The command as a program, running."""
        return subprocess.Popen(
            [*COMMAND, *(str(argument) for argument in arguments)],
            env={**os.environ, **self.variables()}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def execute(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """The command as a program, to its end."""
        with self.start(*arguments) as process:
            output, errors = process.communicate(timeout=600)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)
