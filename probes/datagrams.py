"""A UDP socket that talks to one address, for checks that speak a protocol themselves."""

import asyncio
import errno
import socket

from app.core.errors import ProbeUnable
from probes.visit import Visit, connect_error, new_socket

_LARGEST = 65535


class Datagrams:
    """Connected, so that only the target's own datagrams and refusals arrive. Closed at the end of the run."""

    def __init__(self, run: Visit, address: str, port: int) -> None:
        """Raises ProbeUnable when no socket can be opened."""
        self._run = run
        try:
            self._socket = new_socket(address, socket.SOCK_DGRAM)
        except OSError as error:
            raise connect_error(error) from None
        run.at_end(self._socket.close)
        try:
            self._socket.connect((address, port))
        except OSError as error:
            raise connect_error(error) from None
        run.facts["address"] = address
        run.doing = "waiting for an answer"

    def send(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise ProbeUnable("internal", "The datagram is too large to be sent") from None
            raise connect_error(error) from None

    async def receive(self) -> bytes:
        """The next datagram. Raises TargetFailed, cause "connect", when the port is closed."""
        try:
            data = await asyncio.get_running_loop().sock_recv(self._socket, _LARGEST)
        except OSError as error:
            raise connect_error(error) from None
        self._run.reached("first_byte")
        return data
