"""Training of an ensemble of networks on energies, forces and stresses. Never imports AiiDA."""
