"""A library of games: what people own, found by meaning; see README.md."""
