"""evervec: embeddings in PostgreSQL that stay true to the rows they describe."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evervec.errors import EvervecError
    from evervec.generate import Generate
    from evervec.providers import ProviderError
    from evervec.search import Search

__version__ = "0.1.0"
__all__ = ["EvervecError", "Generate", "ProviderError", "Search", "__version__"]


def __getattr__(name: str) -> Any:
    """What is imported from here, when it is: processes that only embed need no database."""
    if name == "Search":
        from evervec.search import Search

        return Search
    if name == "Generate":
        from evervec.generate import Generate

        return Generate
    if name == "EvervecError":
        from evervec.errors import EvervecError

        return EvervecError
    if name == "ProviderError":
        from evervec.providers import ProviderError

        return ProviderError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
