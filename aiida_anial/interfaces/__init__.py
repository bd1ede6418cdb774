"""Ensembles in other programs."""
