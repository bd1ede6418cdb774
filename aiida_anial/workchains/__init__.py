"""The loop: label, train, sample, and the campaign over its iterations."""
