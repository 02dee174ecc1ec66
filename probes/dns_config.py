"""What people may ask of a DNS check."""

from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from probes.base import ProbeConfig
from probes.targets import OptionalHost, Port, Text, ascii_host

RecordType = Literal["A", "AAAA", "CNAME", "MX", "TXT", "NS", "SOA", "SRV", "CAA", "PTR"]
Rcode = Literal["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP"]


class DnsConfig(ProbeConfig):
    """A question to a name server and the answer that counts as UP."""

    name: Annotated[str, AfterValidator(ascii_host)] = Field(
        title="Name",
        description="The name to ask for; for PTR an IP address will do.",
        max_length=253,
        examples=["www.example.com"],
        json_schema_extra={"widget": "text"},
    )
    type: RecordType = Field(
        default="A",
        title="Record type",
        description="Which records to ask for.",
        json_schema_extra={"widget": "select"},
    )
    answers: Text = Field(
        default="",
        title="Expected answers",
        description="Records that must be among the answers, one per line; empty takes any.",
        max_length=4000,
        examples=["192.0.2.10"],
        json_schema_extra={"widget": "textarea"},
    )
    server: OptionalHost = Field(
        default="",
        title="Server",
        description="The name server to check. Empty asks the system's resolver, whose own failures count as unknown.",
        max_length=253,
        examples=["ns1.example.com"],
        json_schema_extra={"widget": "text"},
    )
    exact: bool = Field(
        default=False,
        title="No other answers",
        description="An answer that is not among the expected ones counts as DOWN.",
        json_schema_extra={"advanced": True},
    )
    rcode: Rcode = Field(
        default="NOERROR",
        title="Response code",
        description="The code that the server must answer with; NXDOMAIN checks that a name is gone.",
        json_schema_extra={"widget": "select", "advanced": True},
    )
    transport: Literal["UDP", "TCP"] = Field(
        default="UDP",
        title="Transport",
        description="UDP goes on over TCP when an answer is too long for it.",
        json_schema_extra={"widget": "select", "advanced": True},
    )
    port: Port = Field(default=53, title="Port", description="The server's port.", json_schema_extra={"advanced": True})

    @property
    def is_address(self) -> bool:
        try:
            ip_address(self.name)
        except ValueError:
            return False
        return True

    @model_validator(mode="after")
    def _check_name(self) -> Self:
        if self.is_address and self.type != "PTR":
            raise ValueError("An IP address can only be asked for with PTR")
        if self.answers.strip() and self.rcode != "NOERROR":
            raise ValueError("Answers come with the response code NOERROR only: empty them, or choose it")
        return self


def wanted_answers(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
