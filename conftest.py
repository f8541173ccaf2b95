"""What all tests share, those of the packages too: one PostgreSQL a run, and the number of workers."""

import os

import pytest

pytest_plugins = ["pgfolder.pytest_plugin"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are processors, because many tests wait for a process or for PostgreSQL."""
    return (os.cpu_count() or 1) + 1
