"""The kinds of channels. A new kind is one new file, its test, and one line here."""

from typing import Any

from notifiers.base import Notifier
from notifiers.slack import SLACK

NOTIFIERS: dict[str, Notifier[Any]] = {notifier.kind: notifier for notifier in (SLACK,)}
