"""Where a process finds its database, and which addresses are therefore our own."""

import socket
from ipaddress import ip_address

from app.core.addresses import IPAddress
from app.core.errors import StartError
from app.core.settings import Settings
from app.db.embedded import running_url
from app.db.session import engine_url

_POSTGRES_PORT = 5432


def database_url(settings: Settings) -> str:
    """DATABASE_URL, or that of the embedded PostgreSQL that runs on the data folder; raises StartError for neither."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    url = running_url(settings.data_dir)
    if url is None:
        raise StartError(
            f"No database: nothing runs on the data folder {settings.data_dir}, and DATABASE_URL is not set. "
            "Start pulseboard serve, or set DATABASE_URL."
        )
    return url


def own_ports(settings: Settings, url: str) -> set[tuple[IPAddress, int]]:
    """What checks may not connect to: our web port on this machine, and the database unless it is a socket file."""
    own: set[tuple[IPAddress, int]] = {(ip_address("127.0.0.1"), settings.port)}
    parsed = engine_url(url)
    if not parsed.host:
        return own
    port = parsed.port or _POSTGRES_PORT
    try:
        found = socket.getaddrinfo(parsed.host, port, type=socket.SOCK_STREAM)
    except OSError:
        return own
    return own | {(ip_address(address[0]), port) for *_, address in found}
