"""Embeddings from Acme's service, which does not speak OpenAI's format."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence

import numpy as np

from evervec.providers import Embeddings, ErrorClass, Kind, ProviderError, profile
from evervec.records import Model


class AcmeProvider:
    def __init__(self, model: Model, *, timeout: float) -> None:
        self._profile = profile(model.provider)
        if not self._profile.base_url:
            raise self._profile.missing("BASE_URL")
        self._model = model
        self._timeout = timeout

    def embed(self, texts: Sequence[str], kind: Kind) -> Embeddings:
        body = {"model": self._model.provider_model, "purpose": kind, "texts": list(texts)}
        request = urllib.request.Request(
            f"{self._profile.base_url}/vectors",
            data=json.dumps(body).encode(),
            headers={"X-Acme-Key": self._profile.api_key},
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            error_class: ErrorClass = "server_error" if error.code >= 500 else "bad_input"
            raise ProviderError(error_class, "Acme refused", status_code=error.code) from error
        except OSError as error:
            raise ProviderError("network", "Acme cannot be reached") from error
        return Embeddings(np.array(answer["vectors"], dtype=np.float32), answer["tokens"])
