"""The difference between a database and the models, as SQL."""
