"""A record of every claim and every accepted result, kept by the database itself."""

from dataclasses import dataclass
from datetime import datetime

from app.db.session import Database
from tests.kit.eventually import rows

_SCRIPT = (
    "CREATE TABLE audit (id bigserial, what text, check_id int, slot_at timestamptz, run bigint, at timestamptz)",
    """
CREATE FUNCTION keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.run > OLD.run THEN
        INSERT INTO audit (what, check_id, slot_at, run, at)
        VALUES ('claimed', NEW.check_id, NEW.slot_at, NEW.run, clock_timestamp());
    ELSIF NEW.slot_at IS NULL AND OLD.slot_at IS NOT NULL AND NEW.due_at > OLD.slot_at THEN
        INSERT INTO audit (what, check_id, slot_at, run, at)
        VALUES ('accepted', NEW.check_id, OLD.slot_at, NEW.run, clock_timestamp());
    END IF;
    RETURN NEW;
END $$
""",
    "CREATE TRIGGER keep_audit AFTER UPDATE ON check_schedule FOR EACH ROW EXECUTE FUNCTION keep_audit()",
)


@dataclass(frozen=True)
class Entry:
    """`what` is "claimed" or "accepted"; `run` is the fencing token, `at` the database's clock."""

    what: str
    check_id: int
    slot_at: datetime
    run: int
    at: datetime


async def keep_audit(database: Database) -> None:
    """From now on."""
    async with database.transaction() as session:
        connection = await session.connection()
        for statement in _SCRIPT:
            await connection.exec_driver_sql(statement)


async def audit(database: Database) -> list[Entry]:
    """The entries so far, in their order."""
    found = await rows(database, "SELECT what, check_id, slot_at, run, at FROM audit ORDER BY id")
    return [Entry(*row) for row in found]
