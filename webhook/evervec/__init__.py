"""evervec: embeddings in PostgreSQL that stay true to the rows they describe."""

__version__ = "0.1.0"
