"""A zoo of real servers around every test, and a look at what a probe leaves behind."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from app.core.addresses import probe_policy
from probes.base import ProbeContext
from probes.curl import close_transport
from tests.zoo import DEMO_CAST, HOSTILE_CAST, Behaviour, Host, Kind, Zoo

_EXTRA = (
    Host("redirecting", "Redirects elsewhere", Behaviour(kind=Kind.REDIRECT, status=302)),
    Host("second", "A second plain host"),
)


@pytest.fixture
async def zoo() -> AsyncIterator[Zoo]:
    async with Zoo(DEMO_CAST + HOSTILE_CAST + _EXTRA) as zoo:
        yield zoo


@pytest.fixture(autouse=True)
async def transport_of_the_test() -> AsyncIterator[None]:
    yield
    close_transport()
    await asyncio.sleep(0)


@pytest.fixture
def context(zoo: Zoo) -> Callable[..., ProbeContext]:
    """A probe's context that trusts the zoo's authority."""

    def make(timeout: float = 5.0) -> ProbeContext:
        return ProbeContext(timeout=timeout, address_policy=probe_policy(), ca_file=str(zoo.ca_file))

    return make
