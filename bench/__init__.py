"""Benchmarks on a server of their own: `python -m bench.write_overhead` and its like."""
