"""The kinds of checks. A new kind is one new file, its test, and one line here."""

from typing import Any

from probes.base import Probe
from probes.dns import DNS
from probes.http import HTTP
from probes.icmp import ICMP
from probes.mqtt import MQTT
from probes.postgres import POSTGRES
from probes.redis import REDIS
from probes.smtp import SMTP
from probes.ssh import SSH
from probes.tcp import TCP
from probes.tls import TLS
from probes.udp import UDP
from probes.websocket import WEBSOCKET

_KINDS = (HTTP, TCP, TLS, DNS, ICMP, WEBSOCKET, SMTP, SSH, POSTGRES, REDIS, MQTT, UDP)

PROBES: dict[str, Probe[Any]] = {probe.kind: probe for probe in _KINDS}
