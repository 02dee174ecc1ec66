"""REST under /api/v1, health and metrics. `install` adds all of it to the FastAPI app."""

from fastapi import APIRouter, FastAPI

from app.api import auth, channels, docs, errors, health, incidents, overview, services


def install(api: FastAPI) -> None:
    """Add every endpoint and the mapping of errors; call it before NiceGUI is mounted, which takes the rest."""
    v1 = APIRouter(prefix="/api/v1")
    for module in (auth, overview, services, incidents, channels):
        v1.include_router(module.router)
    for router in (v1, health.router, docs.router):
        api.include_router(router)
    errors.install(api)
