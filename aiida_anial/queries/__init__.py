"""Queries of the graph that return plain records."""
