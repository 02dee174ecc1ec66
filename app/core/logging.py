"""Logs: one line per event on stderr, for people on a terminal and as JSON elsewhere, with secrets taken out.

Everything goes through loguru, the standard library's logging included. Write a constant message and bind what varies:
`logger.bind(check=7).info("The check ran")`.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

from loguru import logger

from app.core.text import clean

if TYPE_CHECKING:
    from loguru import Message, Record

HIDDEN = "***"
_SECRET_NAME = re.compile(r"passw|secret|token|authorization|cookie|api_?key|credential|dsn", re.IGNORECASE)
_SECRETS = (
    # scheme://user:password@host
    (re.compile(r"(://[^/\s:@]*):[^@\s/]+@"), rf"\1:{HIDDEN}@"),
    # signed tokens
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # addresses of webhooks are secrets as a whole
    (
        re.compile(r"(hooks\.slack\.com/)\S+|(/api/(?:v\d+/)?webhooks/)\S+|(webhook\.office\.com/)\S+"),
        rf"\1\2\3{HIDDEN}",
    ),
    # name=value and "name": "value"
    (
        re.compile(
            r"(\b(?:password|passwd|secret|token|access_token|api_?key|client_id|signature|authorization|cookie)"
            r"[\"']?\s*[=:]\s*)(?!bearer\b|basic\b)(\"[^\"]*\"|'[^']*'|[^\s,;&)}\]]+)",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
)
_COLOURS = {"DEBUG": "2", "INFO": "0", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
# They report each of their steps as INFO.
_TALKATIVE = ("alembic", "apscheduler", "httpcore", "httpx", "procrastinate", "sqlalchemy", "uvicorn", "websockets")


def set_up_logging(process: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every log line of this process to `stream`, stderr by default. `process` stands in each line."""
    target = stream or sys.stderr
    render = _for_people if target.isatty() else _for_machines

    def write(message: "Message") -> None:
        target.write(render(message.record) + "\n")
        target.flush()

    logger.remove()
    logger.configure(extra={"process": process})
    logger.add(write, level=level.upper(), format="{message}", backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.INFO, force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def scrub(value: Any, name: str = "") -> Any:
    """The value without secrets: those of a telling name, and those that look like one, at any depth."""
    if name and _SECRET_NAME.search(name) and value not in (None, "", 0, False):
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(key): scrub(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [scrub(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _for_machines(record: "Record") -> str:
    line = {"time": record["time"].isoformat(timespec="milliseconds"), "level": record["level"].name}
    line |= {"message": scrub(record["message"]), **scrub(record["extra"])}
    if trace := _trace(record):
        line["exception"] = trace
    return json.dumps(line, default=str)


def _for_people(record: "Record") -> str:
    fields = {key: value for key, value in scrub(record["extra"]).items() if key != "process"}
    shown = " ".join(f"{key}={_short(value)}" for key, value in fields.items())
    head = f"{record['time']:%H:%M:%S} {record['extra'].get('process', ''):<10} {record['level'].name:<7}"
    text = clean(f"{head} {scrub(record['message'])}  {shown}".rstrip()).replace("\n", " | ")
    trace = _trace(record)
    whole = f"{text}\n{clean(trace).rstrip()}" if trace else text
    return f"\x1b[{_COLOURS.get(record['level'].name, '0')}m{whole}\x1b[0m"


def _short(value: Any) -> str:
    return (
        value if isinstance(value, str) and value.isprintable() and " " not in value else json.dumps(value, default=str)
    )


def _trace(record: "Record") -> str:
    error = record["exception"]
    if error is None or error.value is None:
        return ""
    return str(scrub("".join(traceback.format_exception(error.type, error.value, error.traceback))))


class _ToLoguru(logging.Handler):
    """Hands records of the standard library's logging to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        bound = logger.bind(logger=record.name).opt(exception=record.exc_info)
        bound.log(level, "{}", record.getMessage())
