"""Files that other programs read and write: datasets, trajectories, ensembles. Never imports AiiDA."""
