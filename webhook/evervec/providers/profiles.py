"""Named profiles: which service, at which address, with which key. Read from the environment.

A model's `provider` names a profile, never an address or a key: whoever may write to the database
can neither read a key nor send one somewhere else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from evervec.providers.base import ProviderSetupError

OPENAI: Final = "openai"

# Where a profile without a base URL leads. Said outright: left to itself, the client would take
# OPENAI_BASE_URL, and send the key of one profile to the server of another.
DEFAULT_URL: Final = "https://api.openai.com/v1"

_PREFIX: Final = "EVERVEC_PROVIDER_"

# Every variable is named after its profile but those that every program knows.
_WELL_KNOWN: Final = {
    (OPENAI, "API_KEY"): "OPENAI_API_KEY",
    (OPENAI, "BASE_URL"): "OPENAI_BASE_URL",
}

# What an HTTP header can carry. A line break from a file of secrets is the usual mistake, and the
# error of the HTTP library would quote the key.
_KEY: Final = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class Profile:
    """What the environment says about one name.

    kind         which provider speaks to it; "" when the environment does not say
    api_key      "" when there is none
    base_url     "" for the provider's own default
    api_version  of Azure; "" when there is none
    """

    name: str
    kind: str = ""
    api_key: str = field(default="", repr=False)
    base_url: str = field(default="", repr=False)  # may carry a password
    api_version: str = ""

    def missing(self, *what: str, unless: str | None = None) -> ProviderSetupError:
        """The error for settings that are needed and not there, `unless` another one is."""
        names = " and ".join(variable(self.name, each) for each in what)
        verb = "is" if len(what) == 1 else "are"
        hint = "Set it in the environment of this process"
        if unless is not None:
            hint += f", or {variable(self.name, unless)} to a server that wants no key"
        return ProviderSetupError(
            f"provider {self.name!r} is not set up here: {names} {verb} not set", hint=f"{hint}."
        )


def variable(name: str, what: str) -> str:
    """The environment variable for API_KEY, BASE_URL, API_VERSION or KIND of a profile."""
    ours = f"{_PREFIX}{name.upper().replace('-', '_')}_{what}"
    return _WELL_KNOWN.get((name, what), ours)


def profile(name: str, environment: Mapping[str, str] | None = None) -> Profile:
    """The profile of that name, as far as the environment has it.

    Raises ProviderSetupError, which names the variable at fault and never repeats its value.
    """
    env = os.environ if environment is None else environment

    def value(what: str) -> str:
        return env.get(variable(name, what), "").strip()

    found = Profile(
        name,
        kind=value("KIND").lower(),
        api_key=value("API_KEY"),
        base_url=value("BASE_URL"),
        api_version=value("API_VERSION"),
    )
    if not _KEY.fullmatch(found.api_key):
        raise ProviderSetupError(
            f"{variable(name, 'API_KEY')} holds characters that no key has",
            hint="A line break or a space within it, perhaps.",
        )
    if found.base_url and not _is_url(found.base_url):
        raise ProviderSetupError(
            f"{variable(name, 'BASE_URL')} is not an address",
            hint="Write it as https://host.example.org/v1.",
        )
    return found


def host(name: str) -> str | None:
    """The host, with its port where one is given, that texts are sent to under this profile from
    this environment; None where that is not known. Never anything else of the URL.
    """
    try:
        found = profile(name)
    except ProviderSetupError:
        return None
    url = found.base_url
    if not url and (name == OPENAI or (found.api_key and found.kind in ("", OPENAI))):
        url = DEFAULT_URL
    return urlsplit(url).netloc.rpartition("@")[2] or None


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
