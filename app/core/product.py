"""What the service is called, wherever somebody can see it.

A fork changes NAME here, and `name` and the script's name in pyproject.toml; nothing else spells it.
"""

import re

NAME = "Postern"
VERSION = "0.1.0"
SUMMARY = "A publishing API: users and their posts."

COMMAND = re.sub(r"[^a-z0-9]+", "-", NAME.lower()).strip("-")
"""The command, as a person types it; also the name of the database, and of the service's connections to it."""

API_KEY_PREFIX = f"{COMMAND.replace('-', '_')[:11]}_"
"""What API keys begin with. The column that keeps it with eight more characters is 20 wide."""
