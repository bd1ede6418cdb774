"""Figures of several potentials side by side, as PNG and SVG."""
