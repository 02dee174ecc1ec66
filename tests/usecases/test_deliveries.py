"""Messages owed to channels: what is sent, what is parked, and what is written down of each attempt."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from app.core.crypto import Sealer
from app.core.errors import NotifyError, PermanentNotifyError, RetryableNotifyError
from app.db.session import Database
from app.domain.incident import MessageKind
from app.domain.status import Outcome, Status
from app.live.bus import BusMessage, Topic
from app.usecases.deliveries import GIVE_UP_AFTER, Attempt, Owed, owed, settle
from app.usecases.results import judge, record
from app.usecases.schedule import claim_due
from app.usecases.sending import send
from notifiers import NOTIFIERS
from notifiers.base import Message
from notifiers.egress import build_client
from probes.base import ProbeResult
from tests.builders import SEALER, add_channel, add_fleet
from tests.kit.eventually import rows, value
from tests.kit.ledger import open_ledger

WEBHOOK = "https://hooks.slack.com/services/T0/B0/x"
PUBLIC_URL = "https://status.example.com"
DELIVERY = "SELECT state, attempts, last_error FROM delivery"


@pytest.fixture
async def delivery_id(database: Database) -> int:
    """A message about a failure that is owed to one channel."""
    async with database.transaction() as session:
        fleet = await add_fleet(session, ["http://127.0.0.1:1/"])
        await add_channel(session, fleet.team, WEBHOOK)
    async with database.transaction() as session:
        (claim,) = await claim_due(session, 1)
        result = ProbeResult(Outcome.DOWN, cause="status", message="502 Bad Gateway", code=502)
        await record(session, [judge(claim, result, claim.monotonic, claim.monotonic + 0.1)])
    return int(await value(database, "SELECT id FROM delivery"))


async def _owed(database: Database, delivery_id: int, sealer: Sealer = SEALER) -> Owed | None:
    async with database.transaction() as session:
        return await owed(session, delivery_id, sealer, PUBLIC_URL)


async def _settle(database: Database, found: Owed, error: NotifyError | None) -> float | None:
    async with database.transaction() as session:
        return await settle(session, found, Attempt(error, 0.25))


async def _must_be_owed(database: Database, delivery_id: int) -> Owed:
    found = await _owed(database, delivery_id)
    assert found is not None
    return found


async def _execute(database: Database, sql: str) -> None:
    async with database.transaction() as session:
        await (await session.connection()).exec_driver_sql(sql)


async def test_the_message_says_what_happened_and_where_to_look(database: Database, delivery_id: int) -> None:
    found = await _must_be_owed(database, delivery_id)
    message = found.message
    assert (message.service, message.title, message.detail) == (
        "checkout-api",
        "checkout-api is down",
        "502 Bad Gateway",
    )
    assert (message.team, message.url) == ("Payments", "https://status.example.com/incidents/1")
    assert message.key == await value(database, "SELECT key FROM delivery")
    assert found.config.webhook_url.get_secret_value() == WEBHOOK


async def test_an_accepted_message_is_settled_and_shown_on_the_timeline(database: Database, delivery_id: int) -> None:
    found = await _must_be_owed(database, delivery_id)
    assert await _settle(database, found, None) is None
    assert await rows(database, "SELECT state, attempts FROM delivery WHERE sent_at IS NOT NULL") == [("sent", 1)]
    ((kind, data),) = await rows(
        database, "SELECT kind, data FROM event WHERE incident_id = 1 ORDER BY id DESC LIMIT 1"
    )
    assert kind == "delivered"
    assert data == {"channel": "Slack #oncall", "message": "down", "attempt": 1, "seconds": 0.25}


async def test_a_message_that_was_sent_is_not_owed_again(database: Database, delivery_id: int) -> None:
    await _settle(database, await _must_be_owed(database, delivery_id), None)
    assert await _owed(database, delivery_id) is None


async def test_a_passing_failure_is_tried_again_and_shown(database: Database, delivery_id: int) -> None:
    found = await _must_be_owed(database, delivery_id)
    wait_s = await _settle(database, found, RetryableNotifyError("Slack answered 500."))
    assert wait_s is not None
    assert await rows(database, DELIVERY) == [("pending", 1, "Slack answered 500.")]
    ((kind, data),) = await rows(database, "SELECT kind, data FROM event ORDER BY id DESC LIMIT 1")
    assert (kind, data["error"], data["next_try_s"]) == ("delivery_failed", "Slack answered 500.", round(wait_s, 1))


async def test_the_vendors_retry_after_is_the_least_wait(database: Database, delivery_id: int) -> None:
    found = await _must_be_owed(database, delivery_id)
    wait_s = await _settle(database, found, RetryableNotifyError("Slack answered 429.", retry_after=77.0))
    assert wait_s == 77.0


async def test_waits_grow_with_each_attempt_and_have_jitter(database: Database, delivery_id: int) -> None:
    waits = []
    for _ in range(12):
        wait_s = await _settle(database, await _must_be_owed(database, delivery_id), RetryableNotifyError())
        assert wait_s is not None
        waits.append(wait_s)
    longest = [min(2.0 * 2**number, 600.0) for number in range(12)]
    assert all(most / 2 <= wait_s <= most for wait_s, most in zip(waits, longest, strict=True))
    assert any(wait_s != most for wait_s, most in zip(waits, longest, strict=True))


async def test_after_a_day_a_message_is_given_up(database: Database, delivery_id: int) -> None:
    await _execute(database, f"UPDATE delivery SET created_at = now() - interval '{GIVE_UP_AFTER.total_seconds()} s'")
    found = await _must_be_owed(database, delivery_id)
    assert await _settle(database, found, RetryableNotifyError("Slack answered 500.")) is None
    assert await rows(database, DELIVERY) == [("failed", 1, "Slack answered 500.")]


async def test_just_before_the_day_is_over_it_is_still_tried(database: Database, delivery_id: int) -> None:
    hours = (GIVE_UP_AFTER - timedelta(minutes=5)).total_seconds()
    await _execute(database, f"UPDATE delivery SET created_at = now() - interval '{hours} s'")
    assert await _settle(database, await _must_be_owed(database, delivery_id), RetryableNotifyError()) is not None


async def test_a_refusal_for_good_breaks_the_channel_and_says_so(database: Database, delivery_id: int) -> None:
    heard: list[BusMessage] = []
    database.bus.subscribe(Topic.CHANNELS, heard.append)
    found = await _must_be_owed(database, delivery_id)
    assert await _settle(database, found, PermanentNotifyError("Slack answered 410.")) is None
    assert await rows(database, DELIVERY) == [("failed", 1, "Slack answered 410.")]
    assert await value(database, "SELECT broken FROM channel") == "Slack answered 410."
    assert heard == [BusMessage(Topic.CHANNELS, found.team_id)]


async def test_a_broken_channel_that_takes_a_message_is_whole_again(database: Database, delivery_id: int) -> None:
    await _execute(database, "UPDATE channel SET broken = 'Slack answered 410.'")
    await _settle(database, await _must_be_owed(database, delivery_id), None)
    assert await value(database, "SELECT broken FROM channel") is None


async def test_a_settlement_that_was_written_down_before_leaves_no_trace(database: Database, delivery_id: int) -> None:
    found = await _must_be_owed(database, delivery_id)
    await _settle(database, found, None)
    events = await value(database, "SELECT count(*) FROM event")
    assert await _settle(database, found, PermanentNotifyError()) is None
    assert await value(database, "SELECT state FROM delivery") == "sent"
    assert await value(database, "SELECT count(*) FROM event") == events


async def test_a_failed_attempt_that_is_settled_twice_is_still_tried_again(
    database: Database, delivery_id: int
) -> None:
    found = await _must_be_owed(database, delivery_id)
    assert await _settle(database, found, RetryableNotifyError()) is not None
    assert await _settle(database, found, RetryableNotifyError()) is not None
    assert await value(database, "SELECT attempts FROM delivery") == 1


async def test_a_message_for_a_channel_that_is_off_is_parked_with_the_reason(
    database: Database, delivery_id: int
) -> None:
    await _execute(database, "UPDATE channel SET enabled = false")
    assert await _owed(database, delivery_id) is None
    assert await rows(database, DELIVERY) == [("failed", 0, "The channel was turned off before the message left.")]


async def test_a_message_for_a_deleted_channel_is_not_owed(database: Database, delivery_id: int) -> None:
    await _execute(database, "DELETE FROM channel")
    assert await _owed(database, delivery_id) is None


async def test_a_secret_that_can_not_be_opened_parks_the_message_and_breaks_the_channel(
    database: Database, delivery_id: int
) -> None:
    assert await _owed(database, delivery_id, Sealer(b"another master key, 32 bytes or longer")) is None
    assert await value(database, "SELECT state FROM delivery") == "failed"
    broken = await value(database, "SELECT broken FROM channel")
    assert broken == "A stored secret can't be opened with the present key. Enter the channel's settings again."


async def test_settings_of_another_time_park_the_message(database: Database, delivery_id: int) -> None:
    await _execute(database, "UPDATE channel SET kind = 'carrier-pigeon'")
    assert await _owed(database, delivery_id) is None
    assert await rows(database, DELIVERY) == [("failed", 0, "The channel's settings can't be read.")]


async def test_a_message_is_sent_to_the_channels_own_address(tmp_path: Path) -> None:
    message = Message(MessageKind.TEST, "key-1", "checkout-api", Status.UP, "A test")
    async with open_ledger(tmp_path / "ledger.jsonl") as ledger, build_client("127.0.0.1") as http:
        await send("slack", _slack(ledger.url), message, http)
        assert [entry.key for entry in ledger.accepted] == ["key-1"]


async def test_a_bug_in_a_notifier_is_worth_another_try_and_tells_no_secret() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError(str(request.url))

    message = Message(MessageKind.TEST, "key-1", "checkout-api", Status.UP, "A test")
    async with build_client("", httpx.MockTransport(broken)) as http:
        with pytest.raises(RetryableNotifyError) as caught:
            await send("slack", _slack(WEBHOOK), message, http)
    assert caught.value.message == "Sending failed inside Pulseboard."
    assert caught.value.__cause__ is None


def _slack(url: str) -> object:
    return NOTIFIERS["slack"].config.model_validate({"webhook_url": url})
