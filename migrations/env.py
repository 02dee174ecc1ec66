"""Alembic's environment. The URL comes from the caller (`app.db.migrate`) or from `-x url=...`."""

from typing import Literal

from alembic import context
from sqlalchemy import Connection, create_engine
from sqlalchemy.schema import SchemaItem
from sqlmodel import SQLModel

import models  # noqa: F401  fills the metadata
from models.base import UtcDateTime

_FOREIGN_PREFIXES = ("procrastinate_", "check_result_")


def _ours(item: SchemaItem, name: str | None, type_: str, reflected: bool, compare_to: SchemaItem | None) -> bool:
    """Leave out procrastinate's tables and the partitions, which are made at run time."""
    table = name if type_ == "table" else getattr(getattr(item, "table", None), "name", None)
    return not (table or "").startswith(_FOREIGN_PREFIXES)


def _plain_type(type_: str, item: object, autogen_context: object) -> str | Literal[False]:
    """Write our column types as the plain ones they are in PostgreSQL: a migration must not import `models`."""
    if type_ == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if type_ == "type" and type(item).__module__ == UtcDateTime.__module__:
        return "sa.Text()"
    return False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        include_object=_ours,
        render_item=_plain_type,
        compare_type=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _main() -> None:
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _run(connection)
        return
    engine = create_engine(context.get_x_argument(as_dictionary=True)["url"])
    with engine.connect() as opened:
        _run(opened)
    engine.dispose()


_main()
