"""What all tests share, those of the packages too: one PostgreSQL a run."""

pytest_plugins = ["pgfolder.pytest_plugin"]
