"""Runs revisions: one runner at a time, with retries, and the checksums of what is committed."""
