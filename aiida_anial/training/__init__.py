"""Training of ensembles on energies, forces and stresses. Never imports AiiDA."""
