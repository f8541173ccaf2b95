"""The command line of migrations."""
