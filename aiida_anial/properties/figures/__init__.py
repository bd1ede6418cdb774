"""Figures of benchmarks, drawn by matplotlib."""
