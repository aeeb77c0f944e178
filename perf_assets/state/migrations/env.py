"""Run by Alembic for each upgrade, on the connection and in the transaction of the caller."""

from __future__ import annotations

from alembic import context

from perf_assets.state.migrating import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
