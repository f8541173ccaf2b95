"""Schema changes that don't stop traffic, for revisions: `import safestep`.

Each step looks at what is there and does what is missing, every statement in a transaction of its own: a run that was
killed anywhere is finished by the next one. An ordinary change before a step in the same revision would be committed
half-way, so a step refuses to follow one; after a step anything may come.
All of them take `schema=`, and quote every name. With `--sql`, where nothing can be looked at, they print every
statement of a first run.
"""
