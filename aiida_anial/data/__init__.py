"""Data nodes: a shard of labels and a trained ensemble, each one safetensors file in the repository."""
