"""Messages in the right order, again after a failure, and never at the cost of other channels."""

from pathlib import Path

from app.core.crypto import Sealer
from app.db.session import Database
from app.domain.status import Outcome
from app.usecases.channels import channel_context
from app.usecases.configs import seal_config
from app.usecases.results import judge, record
from app.usecases.schedule import claim_due
from models import Channel
from notifiers import NOTIFIERS
from probes.base import ProbeResult
from tests.builders import Fleet, add_channel, add_fleet, make_due
from tests.kit.eventually import rows, until, value
from tests.kit.ledger import Behaviour, Ledger, open_ledger
from tests.runtime.conftest import OpenWorker

DOWN = ProbeResult(Outcome.DOWN, cause="status", message="502 Bad Gateway")
UP = ProbeResult(Outcome.UP, latency_ms=5.0, code=200)
ALL_SENT = "SELECT bool_and(state = 'sent') AND count(*) = :count FROM delivery"


async def _fleet(database: Database, *webhooks: str) -> Fleet:
    """A check that runs once a day, in a team with a channel for each webhook."""
    async with database.transaction() as session:
        fleet = await add_fleet(session, ["http://127.0.0.1:1/"], interval_s=86_400)
        for number, webhook in enumerate(webhooks):
            await add_channel(session, fleet.team, webhook, name=f"#channel-{number}")
    return fleet


async def _go_through(database: Database, fleet: Fleet, *results: ProbeResult) -> None:
    for result in results:
        async with database.transaction() as session:
            await make_due(session, fleet.checks[0])
            (claim,) = await claim_due(session, 1)
            await record(session, [judge(claim, result, claim.monotonic, claim.monotonic)])


def _titles(ledger: Ledger, path: str = "/hook") -> list[str]:
    return [entry.body["text"].rpartition(": ")[2] for entry in ledger.entries if entry.path == path]


async def test_the_recovery_waits_until_the_failure_was_told(
    database: Database, open_worker: OpenWorker, tmp_path: Path
) -> None:
    async with open_ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.mode(Behaviour.ERROR, times=2)
        fleet = await _fleet(database, ledger.url)
        await _go_through(database, fleet, DOWN, UP)
        async with open_worker():
            await until(database, ALL_SENT, count=2)
    down, up = "checkout-api is down", "checkout-api recovered"
    assert _titles(ledger) == [down, down, down, up]
    assert len({entry.key for entry in ledger.entries}) == 2
    assert await rows(database, "SELECT kind, attempts FROM delivery ORDER BY id") == [("down", 3), ("recovered", 1)]


async def test_each_attempt_is_on_the_timeline_of_the_incident(
    database: Database, open_worker: OpenWorker, tmp_path: Path
) -> None:
    async with open_ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.mode(Behaviour.ERROR, times=1)
        await _go_through(database, await _fleet(database, ledger.url), DOWN)
        async with open_worker():
            await until(database, ALL_SENT, count=1)
    lines = "SELECT kind, data ->> 'attempt', data ->> 'error' FROM event WHERE incident_id IS NOT NULL ORDER BY id"
    assert await rows(database, lines) == [
        ("went_down", None, None),
        ("delivery_failed", "1", "Slack answered 500: rollup_error."),
        ("delivered", "2", None),
    ]


async def test_the_vendors_pause_is_kept_and_other_channels_do_not_wait_for_it(
    database: Database, open_worker: OpenWorker, tmp_path: Path
) -> None:
    async with open_ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.mode(Behaviour.RATE_LIMIT, path="/busy", times=1, seconds=3)
        fleet = await _fleet(database, ledger.url_of("/busy"), ledger.url_of("/idle"))
        await _go_through(database, fleet, DOWN)
        async with open_worker():
            await until(database, ALL_SENT, count=2)
    assert ledger.entries[-1].path == "/busy"
    first, second = [entry for entry in ledger.entries if entry.path == "/busy"]
    assert second.monotonic - first.monotonic >= 3


async def test_a_channel_that_refuses_for_good_is_shown_as_broken_and_not_tried_again(
    database: Database, open_worker: OpenWorker, tmp_path: Path
) -> None:
    async with open_ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.mode(Behaviour.GONE, path="/gone")
        fleet = await _fleet(database, ledger.url_of("/gone"), ledger.url_of("/good"))
        await _go_through(database, fleet, DOWN)
        async with open_worker():
            await until(database, "SELECT count(*) = 2 FROM procrastinate_jobs WHERE status = 'succeeded'")
    assert sorted(entry.path for entry in ledger.entries) == ["/gone", "/good"]
    assert await rows(database, "SELECT state FROM delivery ORDER BY channel_id") == [("failed",), ("sent",)]
    assert "channel_is_archived" in await value(database, "SELECT broken FROM channel WHERE name = '#channel-0'")


async def test_a_secret_that_can_not_be_opened_holds_up_nothing_else(
    database: Database, open_worker: OpenWorker, tmp_path: Path
) -> None:
    async with open_ledger(tmp_path / "ledger.jsonl") as ledger:
        fleet = await _fleet(database, ledger.url_of("/poison"), ledger.url_of("/good"))
        async with database.transaction() as session:
            channel = await session.get_one(Channel, 1)
            config = NOTIFIERS["slack"].config.model_validate({"webhook_url": ledger.url_of("/poison")})
            other = Sealer(b"the key of another installation, 32 bytes")
            channel.config = seal_config(config, other, channel_context(channel))
        await _go_through(database, fleet, DOWN)
        async with open_worker():
            await until(database, "SELECT count(*) = 2 FROM procrastinate_jobs WHERE status = 'succeeded'")
    assert [entry.path for entry in ledger.entries] == ["/good"]
    assert await rows(database, "SELECT state FROM delivery ORDER BY channel_id") == [("failed",), ("sent",)]


async def test_a_job_of_a_delivery_that_is_gone_ends_quietly(
    database: Database, open_worker: OpenWorker, tmp_path: Path
) -> None:
    async with open_ledger(tmp_path / "ledger.jsonl") as ledger:
        await _go_through(database, await _fleet(database, ledger.url), DOWN)
        async with database.transaction() as session:
            await session.delete(await session.get_one(Channel, 1))
        async with open_worker():
            await until(database, "SELECT status = 'succeeded' FROM procrastinate_jobs")
    assert ledger.entries == []
