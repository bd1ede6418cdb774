"""Helpers for tests, in particular for those with their own daemons and servers."""
