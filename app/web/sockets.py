"""NiceGUI's sockets, bound to people: whose events are heard, and who is shown the door.

NiceGUI takes a client's id as the only proof that a socket may speak for it. Here an event counts only from a socket
that has joined this client, with a session that still stands, and the page's actor is renewed before it is heard.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Set
from functools import wraps
from typing import Any

from loguru import logger
from nicegui import Client, core
from socketio.exceptions import ConnectionRefusedError as Refused

from app.core.errors import Unauthenticated
from app.core.text import clean
from app.db.session import DATABASE_AWAY
from app.live.bus import Bus, BusMessage, Topic
from app.usecases.actor import Actor
from app.web.sessions import Sessions

SWEEP_S = 2.0
_NAMESPACE = "/"
_CLOSE_S = 2.0
_LOG_CHARACTERS = 300
_TO_LOGIN = 'location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search))'

Handler = Callable[..., Any]


class Sockets:
    """Guards the socket server's handlers, and ends the sockets of sessions that have ended."""

    def __init__(self, sessions: Sessions, bus: Bus) -> None:
        self._sessions = sessions
        self._bus = bus
        self._changed = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()

    def install(self) -> None:
        """Put the guards in front of NiceGUI's own handlers, once however often it is called."""
        handlers = core.sio.handlers[_NAMESPACE]
        guards: dict[str, Callable[[Handler], Handler]] = {
            "connect": self._connect,
            "handshake": self._handshake,
            "event": self._event,
            "javascript_response": self._owned,
            "ack": self._owned,
            "log": _quietly,
        }
        for name, guard in guards.items():
            own = getattr(handlers[name], "__wrapped__", handlers[name])
            guarded: Handler = wraps(own)(guard(own))
            handlers[name] = guarded

    async def run(self) -> None:
        """Look every SWEEP_S seconds, and at once when accounts change, whether the open sockets' sessions stand."""
        ends = [self._bus.subscribe(topic, self._hear) for topic in (Topic.SESSIONS, Topic.RESYNC)]
        try:
            while True:
                try:
                    await self.sweep()
                except DATABASE_AWAY:
                    logger.warning("Sessions can't be checked: the database doesn't answer")
                try:
                    async with asyncio.timeout(SWEEP_S):
                        await self._changed.wait()
                except TimeoutError:
                    continue
        finally:
            for end in ends:
                end()

    async def sweep(self) -> None:
        """Renew the actors of all open pages, and end the sockets whose session has ended."""
        self._changed.clear()
        by_session: defaultdict[str, list[str]] = defaultdict(list)
        for sid, _ in list(core.sio.manager.get_participants(_NAMESPACE, None)):
            actor = _actor(sid)
            if actor is not None:
                by_session[actor.session_id].append(sid)
        standing = await self._sessions.renew(set(by_session))
        actors: dict[str, Actor] = {}
        for session_id, sids in by_session.items():
            for sid in sids:
                if session_id in standing:
                    actors[sid] = standing[session_id]
                else:
                    self._dismiss(sid)
        _renew_pages(actors)

    def _hear(self, message: BusMessage) -> None:
        self._sessions.forget(message.data.get("user_id"))
        self._changed.set()

    def _connect(self, own: Handler) -> Handler:
        async def connect(sid: str, environ: dict[str, Any], auth: Any = None) -> Any:
            actor = environ["asgi.scope"].get("actor")
            if actor is None or not await self._stands(actor):
                # What NiceGUI itself says of an unknown client: the browser reloads, and gets the sign-in page.
                raise Refused("Implicit handshake failed")
            return await own(sid, environ, auth)

        return connect

    def _handshake(self, own: Handler) -> Handler:
        async def handshake(sid: str, message: Any = None, *_: Any) -> bool:
            actor = _actor(sid)
            client = _named_client(message)
            if actor is None or client is None or not is_owner(client, actor) or not await self._stands(actor):
                return False
            named = all(isinstance(message.get(key), str) for key in ("tab_id", "document_id"))
            return named and bool(await own(sid, message))

        return handshake

    def _event(self, own: Handler) -> Handler:
        async def event(sid: str, message: Any = None, *_: Any) -> None:
            actor = _actor(sid)
            client = _joined_client(sid, message)
            if actor is None or client is None:
                return
            try:
                actor = await self._sessions.actor(actor.session_id)
            except Unauthenticated:
                self._dismiss(sid)
                return
            except DATABASE_AWAY:
                logger.warning("An event of a page was not heard: the database doesn't answer")
                return
            client.request.scope["actor"] = actor
            _tolerate(own, sid, message)

        return event

    def _owned(self, own: Handler) -> Handler:
        async def owned(sid: str, message: Any = None, *_: Any) -> None:
            if _joined_client(sid, message) is not None:
                _tolerate(own, sid, message)

        return owned

    async def _stands(self, actor: Actor) -> bool:
        try:
            await self._sessions.actor(actor.session_id)
        except Unauthenticated:
            return False
        except DATABASE_AWAY:
            return False
        return True

    def _dismiss(self, sid: str) -> None:
        task = asyncio.create_task(_send_to_login(sid))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def is_owner(client: Client, actor: Actor) -> bool:
    """Whether the page was made for this person."""
    owner = client.request.scope.get("actor")
    return owner is not None and owner.user_id == actor.user_id


def _actor(sid: str) -> Actor | None:
    """Whom the guard let in with this socket's connection."""
    environ = core.sio.get_environ(sid) or {}
    actor: Actor | None = environ.get("asgi.scope", {}).get("actor")
    return actor


def _named_client(message: Any) -> Client | None:
    named = message.get("client_id") if isinstance(message, dict) else None
    return Client.instances.get(named) if isinstance(named, str) else None


def _joined_client(sid: str, message: Any) -> Client | None:
    client = _named_client(message)
    return client if client is not None and sid in _sockets_of(client) else None


def _renew_pages(actors: Mapping[str, Actor]) -> None:
    """Give every page the actor of its socket; `actors` are by socket."""
    for client in list(Client.instances.values()):
        for sid in actors.keys() & _sockets_of(client):
            client.request.scope["actor"] = actors[sid]


def _sockets_of(client: Client) -> Set[str]:
    # Not the other way round: to tell a socket's rooms, the manager looks through the rooms of all.
    members: Mapping[str, str] = core.sio.manager.rooms.get(_NAMESPACE, {}).get(client.id, {})
    return members.keys()


def _tolerate(own: Handler, sid: str, message: Any) -> None:
    # Errors of our handlers don't come out here; these are of a message that no browser of ours has sent.
    try:
        own(sid, message)
    except (KeyError, TypeError, ValueError, AttributeError):
        logger.bind(sid=sid).debug("A malformed message of a socket was dropped")


def _quietly(_own: Handler) -> Handler:
    # NiceGUI lets any browser write lines of any level into the log.
    async def log(sid: str, message: Any = None, *_: Any) -> None:
        text = message.get("message") if isinstance(message, dict) else None
        logger.bind(sid=sid, text=clean(str(text))[:_LOG_CHARACTERS]).debug("A browser reports")

    return log


async def _send_to_login(sid: str) -> None:
    eio_sid = core.sio.manager.eio_sid_from_sid(sid, _NAMESPACE)
    transport = core.sio.eio.sockets.get(eio_sid)
    try:
        async with asyncio.timeout(_CLOSE_S):
            await core.sio.emit("run_javascript", {"code": _TO_LOGIN}, room=sid)
            await core.sio.eio.disconnect(eio_sid)
    except TimeoutError:
        logger.bind(sid=sid).debug("A socket of an ended session was slow to close")
    finally:
        # Engine.io leaves the closing to the browser; its writer closes the connection when it is given None.
        if transport is not None:
            transport.queue.put_nowait(None)
