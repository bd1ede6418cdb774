"""The properties of a potential beside those of others, of DFT and of the literature."""
