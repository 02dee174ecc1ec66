"""One message to one channel under a deadline for the whole."""

import asyncio
from typing import Any

import httpx
from loguru import logger

from app.core.errors import NotifyError, RetryableNotifyError
from notifiers import NOTIFIERS
from notifiers.base import Message

SEND_DEADLINE_S = 20.0


async def send(kind: str, config: Any, message: Message, http: httpx.AsyncClient) -> None:
    """Send under a deadline for the whole; raises NotifyError. A bug in a notifier counts as worth another try."""
    try:
        async with asyncio.timeout(SEND_DEADLINE_S):
            await NOTIFIERS[kind].send(config, message, http)
    except NotifyError:
        raise
    except TimeoutError:
        raise RetryableNotifyError("The message was not accepted in time.") from None
    except Exception as error:
        # Without the traceback's values: they may hold the channel's secret.
        logger.bind(kind=kind, error=type(error).__name__).error("A notifier raised")
        raise RetryableNotifyError("Sending failed inside Pulseboard.") from None
