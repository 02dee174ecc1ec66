"""Forms drawn by config classes: what is drawn, what comes out, and where errors go. No browser is needed for that."""

from collections.abc import Iterator
from typing import Any

import pytest
from nicegui import Client, ui
from nicegui.page import page
from pydantic import BaseModel, Field, SecretStr

from app.usecases.configs import MASK
from models.check import CheckTiming
from models.service import ServiceCreate
from notifiers import NOTIFIERS
from pages.components.form import Form, check_all
from pages.components.form_specs import Kind, specs_of
from probes import PROBES

HTTP = PROBES["http"].config
SLACK = NOTIFIERS["slack"].config


@pytest.fixture
def client() -> Iterator[Client]:
    """A page that nobody looks at."""
    client = Client(page("/drawing"))
    with client:
        yield client
    client.delete()


class Numbers(BaseModel):
    ratio: float | None = Field(default=None, title="Ratio", json_schema_extra={"unit": "%"})
    untitled: int = 1


def drawn(client: Client, kind: type[ui.element]) -> list[Any]:
    return [element for element in client.elements.values() if type(element) is kind]


def line(client: Client, name: str) -> Any:
    """The input of a field."""
    box = next(box for box in client.elements.values() if box.props.get("data-field") == name)
    return next(found for found in box.descendants() if isinstance(found, ui.input | ui.textarea | ui.select))


def type_into(client: Client, name: str, text: str) -> None:
    line(client, name).set_value(text)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("url", Kind.TEXT),
        ("method", Kind.SELECT),
        ("expected_status", Kind.TEXT),
        ("keyword", Kind.TEXT),
        ("headers", Kind.MAPPING),
        ("body", Kind.TEXTAREA),
        ("max_redirects", Kind.NUMBER),
        ("verify_tls", Kind.SWITCH),
    ],
)
def test_every_field_of_an_http_check_has_its_way_to_be_entered(name: str, kind: Kind) -> None:
    assert {spec.name: spec.kind for spec in specs_of(HTTP)}[name] is kind


def test_every_field_of_an_http_check_is_drawn() -> None:
    assert {spec.name for spec in specs_of(HTTP)} == set(HTTP.model_fields)


@pytest.mark.parametrize(
    ("cls", "name", "kind", "unit"),
    [
        (ServiceCreate, "tags", Kind.TAGS, ""),
        (CheckTiming, "interval_s", Kind.NUMBER, "s"),
        (CheckTiming, "degraded_ms", Kind.NUMBER, "ms"),
        (SLACK, "webhook_url", Kind.SECRET, ""),
        (Numbers, "ratio", Kind.NUMBER, "%"),
    ],
)
def test_kind_and_unit_come_from_the_class(cls: type[BaseModel], name: str, kind: Kind, unit: str) -> None:
    spec = {spec.name: spec for spec in specs_of(cls)}[name]
    assert (spec.kind, spec.unit) == (kind, unit)


def test_a_field_without_a_title_is_not_asked_for() -> None:
    assert [spec.name for spec in specs_of(Numbers)] == ["ratio"]


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("cls", [CheckTiming, *(kind.config for kind in (PROBES | NOTIFIERS).values())])
def test_an_untouched_form_gives_the_defaults_of_its_class(cls: type[BaseModel]) -> None:
    values = Form(cls).values
    given = {name: info.get_default(call_default_factory=True) for name, info in cls.model_fields.items()}
    assert {name: value for name, value in values.items() if not cls.model_fields[name].is_required()} == {
        name: value for name, value in given.items() if not cls.model_fields[name].is_required()
    }


def test_values_come_out_as_their_class_takes_them(client: Client) -> None:
    form = Form(ServiceCreate)
    type_into(client, "name", "checkout-api")
    type_into(client, "tags", "eu, payments,, ")
    assert form.values == {"name": "checkout-api", "group": "", "tags": ["eu", "payments"]}


@pytest.mark.parametrize(("text", "value"), [("12", 12), (" 7 ", 7), ("", None), ("1.5", 1.5), ("soon", "soon")])
def test_a_number_is_kept_as_it_was_typed(client: Client, text: str, value: Any) -> None:
    form = Form(CheckTiming)
    type_into(client, "interval_s", text)
    assert form.values["interval_s"] == value
    assert line(client, "interval_s").value == text


def test_an_error_stands_under_its_field_and_the_text_stays(client: Client) -> None:
    form = Form(HTTP)
    type_into(client, "url", "example.com")
    assert not form.check()
    assert line(client, "url").error == "The URL must start with http:// or https://"
    assert line(client, "url").value == "example.com"
    assert line(client, "expected_status").error is None


def test_an_error_goes_as_soon_as_it_is_mended(client: Client) -> None:
    form = Form(HTTP)
    assert not form.check()
    type_into(client, "url", "https://example.com")
    assert line(client, "url").error is None


def test_a_field_that_was_not_touched_is_not_blamed_for_another(client: Client) -> None:
    Form(ServiceCreate)
    type_into(client, "name", "x")
    assert line(client, "name").error is None


def test_what_two_fields_contradict_in_is_shown_and_goes(client: Client) -> None:
    form = Form(CheckTiming)
    type_into(client, "timeout_s", "31")
    assert not form.check()
    assert "30 s or less" in line(client, "timeout_s").error
    type_into(client, "interval_s", "60")
    line(client, "timeout_s").set_value("32")
    assert line(client, "timeout_s").error is None


def test_an_error_in_a_folded_field_opens_the_fold(client: Client) -> None:
    form = Form(HTTP, {"url": "https://example.com"})
    (fold,) = drawn(client, ui.expansion)
    assert not fold.value
    type_into(client, "max_redirects", "11")
    assert not form.check()
    assert fold.value
    assert line(client, "max_redirects").error == "Enter 10 or less."


@pytest.mark.usefixtures("client")
def test_errors_of_fields_that_are_elsewhere_are_given_back() -> None:
    form = Form(ServiceCreate)
    assert form.show({"name": "Taken.", "url": "Wrong.", "": "No."}) == {"url": "Wrong."}


def test_headers_are_rows_of_name_and_value(client: Client) -> None:
    form = Form(HTTP, {"headers": {"Accept": "text/plain", "X-Empty": ""}})
    assert len([found for found in drawn(client, ui.input) if "Header" in str(found.props.get("aria-label"))]) == 4
    assert form.values["headers"] == {"Accept": "text/plain", "X-Empty": ""}


def test_a_stored_secret_may_be_left_alone(client: Client) -> None:
    form = Form(SLACK, {"webhook_url": MASK})
    assert line(client, "webhook_url").value == ""
    assert form.check()
    assert form.values == {"webhook_url": ""}


def test_a_secret_is_never_drawn_into_the_page(client: Client) -> None:
    class Secret(BaseModel):
        token: SecretStr = Field(title="Token")

    Form(Secret, {"token": MASK})
    assert MASK not in str([dict(element.props) for element in client.elements.values()])
    assert line(client, "token").props["type"] == "password"


def test_a_header_under_a_new_name_needs_its_value_again(client: Client) -> None:
    form = Form(HTTP, {"url": "https://example.com", "headers": {"Authorization": MASK}})
    name = next(found for found in drawn(client, ui.input) if found.props.get("aria-label") == "Header: name")
    name.set_value("X-Token")
    assert form.values["headers"] == {"X-Token": ""}


def test_a_name_that_is_there_twice_is_refused(client: Client) -> None:
    form = Form(HTTP, {"url": "https://example.com", "headers": {"Accept": "a", "accept": "b"}})
    assert not form.check()
    assert "accept is there twice" in " ".join(element._text or "" for element in client.elements.values())


def test_a_suggestion_gives_way_to_what_was_typed(client: Client) -> None:
    form = Form(ServiceCreate)
    form.suggest("name", "exa")
    form.suggest("name", "example.com")
    assert form.values["name"] == "example.com"
    type_into(client, "name", "shop")
    form.suggest("name", "example.org")
    assert form.values["name"] == "shop"


@pytest.mark.usefixtures("client")
def test_all_forms_of_a_page_are_checked() -> None:
    forms = [Form(ServiceCreate), Form(HTTP)]
    assert not check_all(forms)
    assert check_all([Form(ServiceCreate, {"name": "a"}), Form(HTTP, {"url": "https://example.com"})])
