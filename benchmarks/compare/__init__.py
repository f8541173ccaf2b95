"""The service beside its limit and its peers, measured in one run: `make bench`."""
