"""Empty databases of both kinds for the state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

POSTGRES = os.environ.get("PERF_ASSETS_TEST_POSTGRES", "")
needs_postgres = pytest.mark.skipif(not POSTGRES, reason="PERF_ASSETS_TEST_POSTGRES (URL of a server) is not set")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=needs_postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database without tables; the Postgres one is created on the server for this test alone."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'deep' / 'state.db'}"
        return
    server = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    name = f"state_{uuid4().hex}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()
