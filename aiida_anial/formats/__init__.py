"""Files of other programs, read and written: datasets, trajectories, ensembles. Never imports AiiDA."""
