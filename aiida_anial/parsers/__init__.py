"""Parsers of the jobs of ``anial-worker``."""
