"""What every page, endpoint and loop of a web process works with, made once by app.main.

How to reach it: the guard puts it into each request's scope. In a NiceGUI page, also later from its event handlers:
`ui.context.client.request.scope["context"]`; in an endpoint: `request.scope["context"]`. The actor lies beside it,
`scope["actor"]`: the guard renews it before each event of a page's socket, so read it anew in every handler.
"""

from dataclasses import dataclass

import httpx

from app.core.addresses import AddressPolicy
from app.core.crypto import Sealer
from app.core.settings import Settings
from app.db.session import Database
from app.live.board import TeamBoard
from app.usecases.passwords import Passwords
from app.usecases.sign_in import SignIn
from app.usecases.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Context:
    """`boards` maps team ids to boards and grows with new teams; `http` is the client that messages leave by.

    `address_policy` is for checks that are tried by hand.
    """

    settings: Settings
    database: Database
    sealer: Sealer
    tokens: Tokens
    passwords: Passwords
    sign_in: SignIn
    boards: dict[int, TeamBoard]
    http: httpx.AsyncClient
    address_policy: AddressPolicy
