"""The two spellings of a database's address: SQLAlchemy's, which names the driver, and libpq's."""

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app.core.errors import StartError

_DRIVER = "postgresql+psycopg"


def sqlalchemy_url(url: str) -> str:
    """`postgresql+psycopg://...`; raises StartError when the address is not one of a PostgreSQL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _wrong() from None
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise _wrong()
    return parsed.set(drivername=_DRIVER).render_as_string(hide_password=False)


def libpq_url(url: str) -> str:
    """`postgresql://...`, as psycopg and PostgreSQL's own tools want it."""
    return sqlalchemy_url(url).replace(_DRIVER, "postgresql", 1)


def safe_url(url: str) -> str:
    """The address without its password, fit for messages."""
    return make_url(url).render_as_string(hide_password=True)


def _wrong() -> StartError:
    return StartError("DATABASE_URL must look like postgresql://user:password@host:5432/database.")
