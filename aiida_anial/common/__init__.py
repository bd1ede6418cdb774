"""Errors, settings, tensor files, batches of cells and their labels, for all other packages. Never imports AiiDA."""
