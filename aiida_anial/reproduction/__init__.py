"""Stored steps run again from the graph alone, and compared with what they gave the first time."""
