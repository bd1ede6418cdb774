"""Run stored steps again from the graph alone, and compare the results with the original ones."""
