"""The potential: descriptors, networks, ensembles of them, their files and engines. Never imports AiiDA."""
