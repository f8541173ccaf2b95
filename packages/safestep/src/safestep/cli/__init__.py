"""The command line of a project's migrations, by itself or mounted in another Typer application."""

from safestep.cli.app import make_app, run

__all__ = ["make_app", "run"]
