"""Slack by an incoming webhook, and whatever else takes the same messages and answers "ok"."""

import re
from datetime import UTC
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import Field, SecretStr, field_validator

from app.core.errors import PermanentNotifyError, RetryableNotifyError
from app.core.palette import STATUS_LOOKS
from app.domain.incident import MessageKind
from notifiers.base import Message, Notifier, NotifierConfig, webhook_address
from notifiers.http import Post, post, refusal
from notifiers.text import clean, duration_words, fit, one_line

# Slack's limits, in characters.
_HEADER, _SECTION, _FIELD, _CONTEXT, _FALLBACK, _LINK = 150, 3000, 2000, 300, 1000, 2000
_FENCE = "```"
_REASON = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
_MENDS = {
    "no_service": "the webhook was removed; make a new one",
    "no_team": "the workspace is gone",
    "invalid_token": "the webhook's address is wrong; copy it again",
    "channel_not_found": "the channel is gone",
    "channel_is_archived": "the channel is archived",
    "action_prohibited": "an administrator of the workspace forbids it",
}
_MENTIONS = re.compile(r"@(?=channel|here|everyone)", re.IGNORECASE)
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

Block = dict[str, Any]


class SlackConfig(NotifierConfig):
    """Where to post."""

    webhook_url: SecretStr = Field(
        title="Webhook URL",
        description="In Slack: Apps, Incoming Webhooks, Add to Slack, choose a channel, copy the webhook URL.",
        examples=["https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"],
        json_schema_extra={"secret": True},
    )

    _check_address = field_validator("webhook_url")(webhook_address)


async def send(config: SlackConfig, message: Message, http: httpx.AsyncClient) -> None:
    """Post the message; returns when Slack has answered "ok"."""
    answer = await post(http, Post("Slack", config.webhook_url, payload(message), message.key))
    reason = answer.body if _REASON.fullmatch(answer.body[:80]) else ""
    if reason in config.webhook_url.get_secret_value():
        reason = ""
    words = f"{reason} ({_MENDS[reason]})" if reason in _MENDS else reason
    if error := refusal("Slack", answer, words):
        raise error
    if reason:
        raise PermanentNotifyError(f"Slack refused the message: {words}.")
    if answer.body != "ok":
        raise RetryableNotifyError("The address answered, but not with Slack's ok: something else may be in between.")


def payload(message: Message) -> dict[str, Any]:
    """The body of the POST: a header line, and beside a bar in the status' colour what is known."""
    headline = _headline(message)
    title = one_line(message.title)
    return {
        "text": fit(_calm(f"{headline}: {title}" if title else headline), _FALLBACK, _escape),
        "blocks": [{"type": "header", "text": _plain(headline, _HEADER)}],
        "attachments": [
            {
                "color": STATUS_LOOKS[message.status].colour.dark,
                "fallback": fit(_calm(headline), _HEADER, _escape),
                "blocks": _body(message),
            }
        ],
    }


def _headline(message: Message) -> str:
    look = STATUS_LOOKS[message.status]
    service = one_line(message.service)
    match message.kind:
        case MessageKind.TEST:
            return "Test message from Pulseboard"
        case MessageKind.RECOVERED:
            return f"{look.symbol} {look.word} again: {service}"
        case MessageKind.DOWN:
            return f"{look.symbol} {look.word}: {service}"


def _body(message: Message) -> list[Block]:
    blocks: list[Block] = [{"type": "section", "text": _plain(one_line(message.title) or _headline(message), _SECTION)}]
    if detail := clean(message.detail):
        fenced = fit(_calm(detail).replace(_FENCE, "'''"), _SECTION - 2 * len(_FENCE) - 2, _escape)
        blocks.append({"type": "section", "text": _marked(f"{_FENCE}\n{fenced}\n{_FENCE}")})
    if fields := _fields(message):
        blocks.append({"type": "section", "fields": fields})
    if link := _link(message):
        blocks.append({"type": "section", "text": _marked(link)})
    if team := one_line(message.team):
        blocks.append({"type": "context", "elements": [_plain(f"Pulseboard, team {team}", _CONTEXT)]})
    return blocks


def _fields(message: Message) -> list[Block]:
    rows = []
    if severity := one_line(message.severity):
        rows.append(("Severity", fit(_calm(severity), _FIELD - 100, _escape)))
    if message.since:
        # Slack shows the reader's own time zone; what follows the bar is for clients that can't.
        utc = message.since.astimezone(UTC)
        rows.append(
            ("Since", f"<!date^{int(utc.timestamp())}^{{date_short_pretty}} {{time_secs}}|{utc:%Y-%m-%d %H:%M:%S} UTC>")
        )
    if message.duration_s is not None:
        rows.append(("Duration", duration_words(message.duration_s)))
    return [_marked(f"*{name}*\n{value}") for name, value in rows]


def _link(message: Message) -> str:
    url = quote(clean(message.url), safe=":/?#[]@!$&'()*+,;=%~").replace("&", "&amp;")
    if not url.startswith(("http://", "https://")) or len(url) > _LINK:
        return ""
    number = f" #{message.incident_number}" if message.incident_number is not None else ""
    return f"<{url}|Open incident{number}>"


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": fit(_calm(text), limit, _escape), "emoji": False}


def _marked(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _calm(text: str) -> str:
    """A word joiner keeps @channel and its like from paging a whole workspace."""
    return _MENTIONS.sub("@\u2060", text)


def _escape(character: str) -> str:
    return _ESCAPES.get(character, character)


SLACK = Notifier(kind="slack", title="Slack", config=SlackConfig, send=send)
