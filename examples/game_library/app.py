"""The application over HTTP: `flask --app 'examples.game_library.app:create_app()' run`."""

from __future__ import annotations

import os
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import psycopg
from flask import Flask, abort, jsonify, request, session
from werkzeug.exceptions import HTTPException

from evervec import EvervecError
from evervec.db import DatabaseUnavailableError
from evervec.providers import ProviderError
from examples.game_library.library import LIMIT, MIN_SIMILARITY, GameLibrary, NotConfiguredError

if TYPE_CHECKING:
    from flask import Response

Answer = tuple["Response", int]


def create_app(library: GameLibrary | None = None) -> Flask:
    """The application on the database of GAME_LIBRARY_URL, or with a library that is open already.

    Who is logged in stands in Flask's session, signed with GAME_LIBRARY_SECRET. There are no
    passwords: that part is every application's own.
    """
    app = Flask(__name__, static_folder=None)
    app.secret_key = os.environ.get("GAME_LIBRARY_SECRET") or os.urandom(32)
    games = library or GameLibrary(os.environ["GAME_LIBRARY_URL"]).__enter__()

    @app.post("/login")
    def login() -> Any:
        session["user"] = _text("user")
        return jsonify(user=session["user"])

    @app.post("/user/embeddings")
    def generate_missing() -> Any:
        """What is missing, of all games or, with library_only, of the user's."""
        body = request.get_json(silent=True) or {}
        counts = games.generate_missing(_user(), library_only=bool(body.get("library_only")))
        return jsonify(asdict(counts))

    @app.get("/user/embeddings")
    def status() -> Any:
        user = _user()
        found = games.status(user)
        return jsonify(
            has_embeddings=found.has_embeddings, profile=games.profile(user), **asdict(found)
        )

    @app.get("/user/library/search")
    def search() -> Any:
        found = games.search(
            _user(),
            request.args["q"],
            request.args.get("limit", LIMIT, int),
            request.args.get("min_similarity", MIN_SIMILARITY, float),
        )
        return jsonify(games=[asdict(game) for game in found])

    @app.get("/user/preferences")
    def preferences() -> Any:
        return jsonify(preferences=games.preferences(_user()))

    @app.get("/user/recommendations")
    def recommendations() -> Any:
        return jsonify(games=[asdict(game) for game in games.recommend(_user())])

    @app.post("/games/<int:game>/embedding")
    def generate_one(game: int) -> Any:
        return jsonify(asdict(games.generate(_user(), [game])))

    @app.post("/games/embeddings")
    def generate_many() -> Any:
        ids = (request.get_json(silent=True) or {}).get("ids")
        if not isinstance(ids, list) or not all(isinstance(game, int) for game in ids):
            abort(HTTPStatus.BAD_REQUEST, "ids is a list of numbers of games")
        return jsonify(asdict(games.generate(_user(), ids)))

    @app.delete("/games/<int:game>/embedding")
    def clear(game: int) -> Any:
        _user()
        return jsonify(cleared=games.clear(game))

    @app.get("/games/<int:game>/similar")
    def similar(game: int) -> Any:
        return jsonify(games=[asdict(found) for found in games.similar(game)])

    @app.errorhandler(NotConfiguredError)
    def not_configured(_: NotConfiguredError) -> Answer:
        return _refusal("not configured", HTTPStatus.BAD_REQUEST)

    @app.errorhandler(EvervecError)
    def failed(error: EvervecError) -> Answer:
        if isinstance(error, ProviderError):
            return _refusal(error.message, HTTPStatus.BAD_GATEWAY)
        if isinstance(error, DatabaseUnavailableError):
            return _refusal(error.message, HTTPStatus.SERVICE_UNAVAILABLE)
        return _refusal(error.message, HTTPStatus.BAD_REQUEST)

    @app.errorhandler(psycopg.Error)
    def failed_in_sql(error: psycopg.Error) -> Answer:
        return failed(EvervecError.from_psycopg(error))

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Answer:
        return _refusal(error.description or error.name, error.code or 500)

    return app


def _user() -> str:
    """Who is logged in."""
    if "user" not in session:
        abort(HTTPStatus.UNAUTHORIZED, "log in first")
    return str(session["user"])


def _text(name: str) -> str:
    value = (request.get_json(silent=True) or {}).get(name)
    if not isinstance(value, str) or not value:
        abort(HTTPStatus.BAD_REQUEST, f"{name} is missing")
    return value


def _refusal(message: str, status: int) -> Answer:
    return jsonify(error=message), int(status)
