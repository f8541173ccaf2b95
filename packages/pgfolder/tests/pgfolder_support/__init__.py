"""What the tests of pgfolder share."""
