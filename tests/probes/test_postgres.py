"""The PostgreSQL check against a real server that listens on the loopback and wants each kind of password."""

import os
import secrets
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.db.embedded import EmbeddedPostgres
from app.domain.status import Outcome
from probes.base import ProbeContext, ProbeResult
from probes.postgres import POSTGRES, PostgresConfig
from probes.postgres_wire import scram_answer
from tests.probes.servers import saying

_RULES = """
local all all peer map=owner
host all trusting all trust
host all plain all password
host all hashed all md5
host all scram all scram-sha-256
"""
_ROLES = """
CREATE ROLE trusting LOGIN;
SET password_encryption = 'scram-sha-256';
CREATE ROLE plain LOGIN PASSWORD 'open sesame';
CREATE ROLE scram LOGIN PASSWORD 'open sesame';
SET password_encryption = 'md5';
CREATE ROLE hashed LOGIN PASSWORD 'open sesame';
"""


@pytest.fixture(scope="module")
def server(clean_cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The loopback address of a PostgreSQL on its usual port."""
    address = f"127.{secrets.randbelow(250) + 2}.{secrets.randbelow(256)}.{secrets.randbelow(250) + 1}"
    folder = clean_cluster.parent / "listening"
    subprocess.run(["cp", "-a", str(clean_cluster), str(folder)], check=True)
    rules = folder / "postgres" / "listening.conf"
    rules.write_text(_RULES)
    os.chown(rules, (folder / "postgres").stat().st_uid, -1)
    # Others leave the last one off, as PostgreSQL does.
    options = {"fsync": "off", "listen_addresses": address, "hba_file": str(rules)}
    options |= {"client_connection_check_interval": "0"}
    with EmbeddedPostgres(folder, options) as running:
        running.execute(_ROLES)
        yield address


async def check(host: str, within: float = 10, **config: Any) -> ProbeResult:
    made = PostgresConfig.model_validate({"host": host, "user": "trusting"} | config)
    return await POSTGRES.run(made, ProbeContext(timeout=within))


@pytest.mark.parametrize("user", ["plain", "hashed", "scram"])
async def test_a_password_is_needed_and_checked(server: str, user: str) -> None:
    right = await check(server, user=user, password="open sesame")
    assert (right.outcome, right.facts["address"]) == (Outcome.UP, server), right.message
    assert right.facts["server_version"] in right.message
    for password in ("open barley", ""):
        wrong = await check(server, user=user, password=password)
        assert (wrong.outcome, wrong.cause) == (Outcome.DOWN, "auth"), wrong.message
        assert wrong.message.startswith("28P01 ")


@pytest.mark.parametrize(
    ("query", "value", "outcome", "message"),
    [
        ("select 1", "", Outcome.UP, "1 row"),
        ("select 7 as n, 8", "7", Outcome.UP, "The value is as expected"),
        ("select 'grün'", "grün", Outcome.UP, "The value is as expected"),
        ("select 8", "7", Outcome.DOWN, "The value is 8"),
        ("select null", "7", Outcome.DOWN, "The value is NULL"),
        ("select 7 where false", "7", Outcome.DOWN, "The query found no row"),
        ("select * from nowhere", "", Outcome.DOWN, '42P01 relation "nowhere" does not exist'),
        ("copy (select 1) from stdin", "", Outcome.DOWN, '42601 syntax error at or near "from"'),
    ],
)
async def test_a_query_is_compared(server: str, query: str, value: str, outcome: Outcome, message: str) -> None:
    result = await check(server, query=query, value=value)
    assert (result.outcome, result.message) == (outcome, message)


async def test_a_database_or_role_that_does_not_exist_is_down(server: str) -> None:
    missing = await check(server, database="nowhere")
    assert (missing.outcome, missing.cause) == (Outcome.DOWN, "status")
    assert missing.message.startswith("3D000 ")
    stranger = await check(server, user="stranger")
    assert (stranger.outcome, stranger.cause) == (Outcome.DOWN, "auth")


async def test_a_server_without_tls_is_down_when_tls_is_asked_for(server: str) -> None:
    result = await check(server, security="TLS")
    assert (result.outcome, result.cause, result.message) == (Outcome.DOWN, "tls", "The server offers no TLS")


async def test_a_slow_query_is_ended_by_the_server_too(server: str) -> None:
    result = await check(server, within=0.5, query="select pg_sleep(60)")
    assert result.outcome is Outcome.DOWN
    counting = "select count(*) from pg_stat_activity where query like '%sleep(60)%' and pid <> pg_backend_pid()"
    while (await check(server, query=counting, value="0")).outcome is not Outcome.UP:
        pass


async def test_an_endless_answer_ends_at_its_bound(server: str) -> None:
    result = await check(server, query="select repeat('x', 1000) from generate_series(1, 100000)")
    assert (result.outcome, result.cause) == (Outcome.DOWN, "answer")


@pytest.mark.parametrize(
    "answer",
    [
        b"R" + struct.pack("!II", 8, 7),  # GSSAPI
        b"R" + struct.pack("!II", 4, 0),
        b"R" + struct.pack("!I", 1 << 30),
        b"R" + struct.pack("!I", 3),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
async def test_a_strange_server_is_down(answer: bytes) -> None:
    async with saying(b"", answer) as strange:
        result = await check("127.0.0.1", port=strange.port)
    assert result.outcome is Outcome.DOWN
    assert result.cause in {"protocol", "auth"}


def test_scram_agrees_with_the_example_of_the_rfc() -> None:
    opening = b"n=user,r=rOprNGfwEbeRWgbNEkqO"
    challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    answer, signature = scram_answer("pencil", opening, challenge)
    assert answer.endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    assert signature == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
