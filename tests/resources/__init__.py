"""Each resource describes itself here once (tests/support/resources.py says how); nothing else has to list it."""
