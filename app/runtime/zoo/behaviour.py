"""How a host of the zoo answers."""

import math
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    ANSWER = "answer"
    DRIFT = "drift"  # answers with a delay that rises and falls
    REDIRECT = "redirect"
    SILENT = "silent"  # accepts and never answers
    DRIP = "drip"  # the body comes one byte at a time
    DRIP_HEADERS = "drip_headers"  # the headers come one line at a time and never end
    ENDLESS_HEADERS = "endless_headers"
    ENDLESS_BODY = "endless_body"
    GZIP_BOMB = "gzip_bomb"
    RESET = "reset"  # accepts, reads the request and resets the connection
    DEAD = "dead"  # the port is closed


class Behaviour(BaseModel):
    """Times are in seconds. `delay` passes before the first byte, `every` between the pieces of a drip.

    A drift's delay swings between `delay` and `delay + swing` once per `period`. An empty `body` stands for a page of
    1 KB that contains "All systems operational".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind = Kind.ANSWER
    status: Annotated[int, Field(ge=100, le=599)] = 200
    delay: Annotated[float, Field(ge=0, le=3600)] = 0.0
    swing: Annotated[float, Field(ge=0, le=3600)] = 0.0
    period: Annotated[float, Field(gt=0, le=86400)] = 240.0
    every: Annotated[float, Field(gt=0, le=3600)] = 5.0
    location: str = "/"
    body: str = ""

    @property
    def healthy(self) -> bool:
        """Whether a visitor with patience gets a page."""
        return self.kind in {Kind.ANSWER, Kind.DRIFT} and 200 <= self.status < 400

    def delay_at(self, at: float) -> float:
        """The delay of a request that arrives `at` seconds after the zoo's start."""
        if self.kind is not Kind.DRIFT:
            return self.delay
        return self.delay + self.swing * (1 - math.cos(2 * math.pi * at / self.period)) / 2
