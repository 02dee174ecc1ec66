"""One mapping from what goes wrong to an answer: {"message": text, "fields": {name: text}}."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from loguru import logger
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from app.core.errors import Invalid, NotifyError, RateLimited, SealError, UsecaseError

_RETRY_AFTER_S = "5"


def install(api: FastAPI) -> None:
    """Let every endpoint raise what usecases raise."""
    api.add_exception_handler(UsecaseError, _refused)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _http)
    api.add_exception_handler(NotifyError, _not_delivered)
    api.add_exception_handler(SealError, _not_delivered)
    for away in (DBAPIError, PoolTimeoutError, TimeoutError):
        api.add_exception_handler(away, _database_away)


def _answer(
    status: int, message: str, fields: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    return JSONResponse({"message": message, "fields": dict(fields or {})}, status, headers=headers)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UsecaseError)  # noqa: S101  it is installed for this class
    headers = {"WWW-Authenticate": "Bearer"} if error.status_code == 401 else {}
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(error.retry_after)
    fields = error.fields if isinstance(error, Invalid) else None
    return _answer(error.status_code, error.message, fields, headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    fields = {_path(item["loc"]): str(item["msg"]).removeprefix("Value error, ") for item in error.errors()}
    return _answer(422, Invalid.default, fields)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    return _answer(error.status_code, str(error.detail), headers=error.headers)


async def _not_delivered(request: Request, error: Exception) -> JSONResponse:
    return _answer(502, str(error))


async def _database_away(request: Request, error: Exception) -> JSONResponse:
    logger.bind(error=type(error).__name__).warning("A request failed because the database did not answer")
    message = "The database doesn't answer. Try again in a few seconds."
    return _answer(503, message, headers={"Retry-After": _RETRY_AFTER_S})


def _path(location: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in location[1:])
