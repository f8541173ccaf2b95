"""What the tests of safestep share: a small project with revisions, and databases to run them on."""
