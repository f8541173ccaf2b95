#!/bin/sh
# Installs the service into .venv/ of this checkout: what serving and migrating need, pinned by hash, and nothing else.
set -eu
cd "$(dirname "$0")/../.."

python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements.txt
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps -e . -e packages/flatroute -e packages/safestep
.venv/bin/uv pip uninstall --quiet --python .venv/bin/python uv
.venv/bin/python -m compileall -q -j 0 .venv app alembic packages # the file system is read-only later
