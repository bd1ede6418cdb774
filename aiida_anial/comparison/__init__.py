"""Results of several potentials side by side, and beside the literature."""
