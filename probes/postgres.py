"""The PostgreSQL check: connect, sign in, and a query with an expected value."""

from typing import Literal

from pydantic import Field

from app.core.errors import TargetFailed
from probes.base import Probe, ProbeContext, ProbeResult
from probes.certificate import certificate_facts
from probes.postgres_wire import Session
from probes.starttls import ask_for_tls
from probes.targets import (
    HostConfig,
    OptionalHost,
    Port,
    Text,
    password_field,
    port_field,
    server_name_field,
    shown_endpoint,
    user_field,
    verify_field,
)
from probes.verdicts import one_line
from probes.visit import Tls, Visit, visit


class PostgresConfig(HostConfig):
    """A PostgreSQL server, or one that speaks its protocol. Use a role that may only read."""

    port: Port = port_field(5432)
    database: Text = Field(
        default="postgres", title="Database", description="The database to connect to.", min_length=1, max_length=63
    )
    user: Text = user_field("The role to sign in as.", default="postgres")
    password: Text = password_field("Sent as the server asks for it: SCRAM, MD5 or plain text.")
    security: Literal["none", "TLS"] = Field(
        default="none",
        title="Security",
        description="TLS makes the handshake before signing in, and takes no server without it.",
        json_schema_extra={"widget": "select"},
    )
    query: Text = Field(
        default="",
        title="Query",
        description="A statement to run; empty signs in only.",
        max_length=4000,
        examples=["select count(*) > 0 from orders"],
        json_schema_extra={"widget": "textarea"},
    )
    value: Text = Field(
        default="",
        title="Expected value",
        description="What the first column of the first row must be, as text; empty takes any.",
        max_length=2000,
        examples=["t"],
    )
    verify_tls: bool = verify_field()
    server_name: OptionalHost = server_name_field()


async def run(config: PostgresConfig, context: ProbeContext) -> ProbeResult:
    async def talk(run: Visit) -> str:
        stream = await run.connect(config.host, config.port)
        if config.security == "TLS":
            await ask_for_tls(stream, "postgres")
            await run.start_tls(stream, Tls(config.server_name or config.host, config.verify_tls))
            if stream.tls is not None:
                run.facts.update(certificate_facts(stream.tls))
        session = Session(stream)
        run.doing = "signing in"
        await session.start(config.user, config.password, config.database)
        version = run.facts["server_version"] = session.parameters.get("server_version", "")
        message = await _query(run, session, config) if config.query.strip() else f"Signed in, version {version}"
        await session.end()
        return message

    return await visit(context, talk)


def describe(config: PostgresConfig) -> str:
    return f"PostgreSQL {shown_endpoint(config.host, config.port)}/{config.database}"


POSTGRES: Probe[PostgresConfig] = Probe(
    kind="postgres", title="PostgreSQL", config=PostgresConfig, run=run, describe=describe
)


async def _query(run: Visit, session: Session, config: PostgresConfig) -> str:
    run.doing = "waiting for the query"
    # A server goes on with a query whose client has left, so that each timeout would add one more.
    await session.query(f"SET statement_timeout = {max(1, round(run.remaining * 1000))}")
    rows, value = await session.query(config.query)
    if not config.value:
        return f"{rows} row{'' if rows == 1 else 's'}"
    if not rows:
        raise TargetFailed("answer", "The query found no row")
    if value != config.value:
        raise TargetFailed("answer", f"The value is {'NULL' if value is None else one_line(value, 100)}")
    return "The value is as expected"
