"""Data nodes: a shard of labels, each label to query by, and a trained ensemble."""
