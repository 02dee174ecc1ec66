"""Who lives in the zoo: the services of the demo, and the hostile ones that tests need besides."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from app.runtime.zoo.behaviour import Behaviour, Kind
from app.runtime.zoo.schedule import Step, flapping


class Tls(StrEnum):
    """What is right or wrong with a host's certificate."""

    VALID = "valid"
    EXPIRED = "expired"
    SELF_SIGNED = "self_signed"
    WRONG_NAME = "wrong_name"


@dataclass(frozen=True, slots=True)
class Host:
    """One service with a port of its own. `tls` None means plain HTTP."""

    name: str
    title: str
    behaviour: Behaviour = field(default_factory=Behaviour)
    tls: Tls | None = None


DEMO_CAST = (
    Host("fast", "Website"),
    Host("secure", "Login", tls=Tls.VALID),
    Host("keyword", "Status API", Behaviour(body='{"status": "All systems operational"}')),
    Host("slow", "Search", Behaviour(delay=0.9)),
    Host("drifting", "Catalogue", Behaviour(kind=Kind.DRIFT, delay=0.08, swing=0.9, period=240)),
    Host("flapping", "Payments"),
    Host("failing", "Reports", Behaviour(status=500)),
    Host("bad-tls", "Partner portal", tls=Tls.EXPIRED),
    Host("dead", "Legacy importer", Behaviour(kind=Kind.DEAD)),
)

HOSTILE_CAST = (
    Host("self-signed", "Self-signed certificate", tls=Tls.SELF_SIGNED),
    Host("wrong-name", "Certificate of another name", tls=Tls.WRONG_NAME),
    Host("silent", "Never answers", Behaviour(kind=Kind.SILENT)),
    Host("dripping", "One byte at a time", Behaviour(kind=Kind.DRIP)),
    Host("dripping-headers", "One header at a time", Behaviour(kind=Kind.DRIP_HEADERS)),
    Host("endless-headers", "Headers without end", Behaviour(kind=Kind.ENDLESS_HEADERS)),
    Host("endless-body", "Body without end", Behaviour(kind=Kind.ENDLESS_BODY)),
    Host("gzip-bomb", "Gzip bomb", Behaviour(kind=Kind.GZIP_BOMB)),
    Host("redirect-loop", "Redirects to itself", Behaviour(kind=Kind.REDIRECT, status=302)),
    Host(
        "redirect-metadata",
        "Redirects to a metadata service",
        Behaviour(kind=Kind.REDIRECT, status=302, location="http://169.254.169.254/latest/"),
    ),
    Host("resetting", "Resets connections", Behaviour(kind=Kind.RESET)),
)


def demo_steps() -> Iterator[Step]:
    """The demo's play: payments fail for 45 seconds in every two and a half minutes."""
    return flapping("flapping", up_s=105, down_s=45)
