"""What people may enter for an HTTP check."""

from typing import Any

import pytest
from pydantic import ValidationError

from probes.http_config import HttpConfig, status_ranges, wire_url


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"url": "ftp://example.com/"}, "must start with http:// or https://"),
        ({"url": "file:///etc/passwd"}, "must start with http:// or https://"),
        ({"url": "gopher://example.com"}, "must start with http:// or https://"),
        ({"url": "example.com"}, "must start with http:// or https://"),
        ({"url": "http://"}, "must start with http:// or https://"),
        ({"url": "http:///path"}, "no host name"),
        ({"url": "http://a b/"}, "a space"),
        ({"url": "http://a\n/"}, "control character"),
        ({"url": "http://user:pass@example.com/"}, "Authorization header"),
        ({"url": "http://example.com:0/"}, "port must be"),
        ({"url": "http://example.com:99999/"}, "port must be"),
        ({"url": "http://example.com:x/"}, "port must be"),
        ({"url": "http://[::1/"}, "not valid"),
        ({"url": f"http://{'a' * 64}.example/"}, "host name is not valid"),
        ({"url": "http://a..b/"}, "host name is not valid"),
        ({"method": "TRACE"}, "Input should be"),
        ({"expected_status": "abc"}, "not a status code"),
        ({"expected_status": ""}, "not a status code"),
        ({"expected_status": "200,"}, "not a status code"),
        ({"expected_status": "600"}, "not a status code"),
        ({"expected_status": "300-200"}, "write 200-300"),
        ({"headers": {"X": "a\r\nEvil: 1"}}, "line break"),
        ({"headers": {"X": "a\0"}}, "NUL"),
        ({"headers": {"X\r\n": "a"}}, "not a header name"),
        ({"headers": {"": "a"}}, "not a header name"),
        ({"headers": {"Content-Length": "5"}}, "leave it out"),
        ({"headers": {"X": "\ud800"}}, "can't be sent"),
        ({"body": "x"}, "carries no body"),
        ({"body": "x" * 70_000, "method": "POST"}, "longer than 64 KiB"),
        ({"keyword": "x", "method": "HEAD"}, "choose GET"),
        ({"max_redirects": 11}, "less than or equal to 10"),
        ({"interval": 5}, "Extra inputs"),
    ],
)
def test_a_config_that_can_not_work_is_refused_with_the_reason(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        HttpConfig.model_validate({"url": "http://example.com/"} | config)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("HTTP://Example.COM", "http://example.com/"),
        ("https://bērni.example/jūra?q=ž#top", "https://xn--brni-bva.example/j%C5%ABra?q=%C5%BE"),
        ("http://example.com:8080/a%20b?c=d&e=[f]", "http://example.com:8080/a%20b?c=d&e=[f]"),
        ("http://[::1]:9/", "http://[::1]:9/"),
        ("  http://example.com/  ", "http://example.com/"),
    ],
)
def test_a_url_is_sent_in_ascii(given: str, sent: str) -> None:
    assert wire_url(HttpConfig(url=given).url) == sent


def test_expected_statuses_are_codes_and_ranges() -> None:
    assert status_ranges("200-299, 301 ,404 - 410") == (range(200, 300), range(301, 302), range(404, 411))
