"""The webhook as a WSGI application: `evervec.app:create_app()`; `evervec serve` runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI

from evervec import __version__
from evervec.config import Config
from evervec.service import guard, problems, requests
from evervec.service.bodies import StrictJSON
from evervec.service.routes import BLUEPRINTS
from evervec.service.runner import BATCHES
from evervec.service.state import State

if TYPE_CHECKING:
    from evervec.providers import Providers


def create_app(config: Config | None = None, *, providers: Providers | None = None) -> OpenAPI:
    """The application. It needs no database to start: /v1/readyz says when there is one.

    config, providers: as the environment has them where they are not given.
    """
    config = config or Config.from_environment(concurrency=BATCHES)
    app = OpenAPI(
        "evervec",
        info=Info(title="evervec", version=__version__),
        security_schemes=guard.SCHEMES,
        openapi_extensions={"security": guard.DEFAULT},
        validation_error_model=problems.Problem,
        validation_error_callback=problems.of_validation,
        doc_ui=False,
        static_folder=None,
    )
    app.json = StrictJSON(app)
    app.config["MAX_CONTENT_LENGTH"] = config.max_body
    app.extensions["evervec"] = State(config, providers)
    requests.register(app)
    problems.register(app)
    guard.register(app)
    for blueprint in BLUEPRINTS:
        app.register_api(blueprint)
    return app
