"""The fields that kinds of checks share: a host, a port, a server name and credentials."""

import re
from ipaddress import ip_address
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from probes.base import ProbeConfig

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_MAX_NAME = 253


def ascii_host(text: str) -> str:
    """A host name in ASCII, or an IP address; raises ValueError whose text tells people what is wrong."""
    text = text.strip()
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ip_address(bare))
    except ValueError:
        pass
    if not text:
        raise ValueError("The host name is missing")
    if "://" in text or "/" in text:
        raise ValueError("Enter the host name alone, without a scheme or a path")
    if ":" in text:
        raise ValueError("Enter the host name alone; the port has a field of its own")
    try:
        name = text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ValueError("The host name is not valid") from None
    labels = name.removesuffix(".").split(".")
    if len(name) > _MAX_NAME or not all(_NAME.fullmatch(label) for label in labels):
        raise ValueError("The host name is not valid")
    return name


def _optional_host(text: str) -> str:
    return ascii_host(text) if text.strip() else ""


def _encodable(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("It contains characters that can't be sent") from None
    if "\0" in text:
        raise ValueError("It contains a NUL character")
    return text


Text = Annotated[str, AfterValidator(_encodable)]
Port = Annotated[int, Field(ge=1, le=65535)]
OptionalHost = Annotated[str, AfterValidator(_optional_host)]


class HostConfig(ProbeConfig):
    """Base of the configs of checks that look at a host."""

    host: Annotated[str, AfterValidator(ascii_host)] = Field(
        title="Host",
        description="A host name or an IP address.",
        max_length=_MAX_NAME,
        examples=["server.example.com"],
        json_schema_extra={"widget": "text"},
    )


def port_field(default: int, description: str = "The TCP port to connect to.") -> Any:
    return Field(default=default, title="Port", description=description)


def server_name_field() -> Any:
    return Field(
        default="",
        title="Server name",
        description="The name to ask the server for and to look for in its certificate, if it is not the host.",
        max_length=_MAX_NAME,
        json_schema_extra={"widget": "text", "advanced": True},
    )


def tls_field() -> Any:
    return Field(default=False, title="TLS", description="Make a TLS handshake once connected.")


def verify_field() -> Any:
    return Field(
        default=True,
        title="Verify the certificate",
        description="An expired, self-signed or foreign certificate counts as DOWN. Without TLS it means nothing.",
        json_schema_extra={"advanced": True},
    )


def password_field(description: str = "Sent to the server when it is not empty.") -> Any:
    return Field(
        default="",
        title="Password",
        description=description,
        max_length=1000,
        json_schema_extra={"secret": True, "format": "password"},
    )


def user_field(description: str, default: str = "") -> Any:
    return Field(default=default, title="User", description=description, max_length=200)


def shown_endpoint(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
