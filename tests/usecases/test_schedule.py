"""Claims of due checks, on real PostgreSQL."""

from sqlalchemy import text

from app.db.session import Database
from app.usecases.schedule import claim_due, release
from tests.builders import add_fleet, id_of, make_due

URL = "http://127.0.0.1:1/"


async def test_a_due_check_is_claimed_once(database: Database) -> None:
    async with database.transaction() as session:
        fleet = await add_fleet(session, [URL])
    async with database.transaction() as session:
        first, second = await claim_due(session, 10), await claim_due(session, 10)
    assert [claim.check_id for claim in first] == [id_of(fleet.checks[0])]
    assert second == []


async def test_no_more_checks_are_claimed_than_asked_for(database: Database) -> None:
    async with database.transaction() as session:
        await add_fleet(session, [URL] * 5)
    async with database.transaction() as session:
        assert len(await claim_due(session, 3)) == 3
        assert len(await claim_due(session, 3)) == 2


async def test_two_workers_claim_different_checks_at_the_same_moment(database: Database) -> None:
    async with database.transaction() as session:
        await add_fleet(session, [URL] * 6)
    async with database.transaction() as one, database.transaction() as other:
        mine = {claim.check_id for claim in await claim_due(one, 3)}
        others = {claim.check_id for claim in await claim_due(other, 6)}
    assert len(mine) == 3
    assert len(others) == 3
    assert not mine & others


async def test_a_lease_that_ran_out_is_claimed_again_for_the_same_slot_with_a_new_token(database: Database) -> None:
    async with database.transaction() as session:
        fleet = await add_fleet(session, [URL])
        (first,) = await claim_due(session, 1)
        await make_due(session, fleet.checks[0])
        (second,) = await claim_due(session, 1)
    assert second.slot_at == first.slot_at
    assert second.run == first.run + 1


async def test_a_lease_lasts_for_the_timeout_and_the_grace(database: Database) -> None:
    async with database.transaction() as session:
        await add_fleet(session, [URL], timeout_s=7)
        (claim,) = await claim_due(session, 1, grace_s=2.5)
        lease = text("SELECT extract(epoch FROM due_at - :since) FROM check_schedule")
        seconds = (await (await session.connection()).execute(lease, {"since": claim.claimed_at})).scalar_one()
    assert float(seconds) == 9.5


async def test_a_released_claim_is_due_again_at_once_in_its_slot(database: Database) -> None:
    async with database.transaction() as session:
        await add_fleet(session, [URL])
        (claim,) = await claim_due(session, 1)
        await release(session, [claim])
    async with database.transaction() as session:
        (again,) = await claim_due(session, 1)
    assert again.slot_at == claim.slot_at


async def test_a_claim_that_another_worker_took_over_is_not_released(database: Database) -> None:
    async with database.transaction() as session:
        fleet = await add_fleet(session, [URL])
        (old,) = await claim_due(session, 1)
        await make_due(session, fleet.checks[0])
        await claim_due(session, 1)
        await release(session, [old])
    async with database.transaction() as session:
        assert await claim_due(session, 1) == []
