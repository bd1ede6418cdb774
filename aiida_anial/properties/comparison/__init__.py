"""Comparison of the properties of potentials with each other, with DFT and with the literature."""
