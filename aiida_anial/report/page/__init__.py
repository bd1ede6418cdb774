"""The page of a campaign: one HTML file with charts, structures and provenance, which needs nothing else."""
