"""What labels cells with energies, forces and stresses: one module a labeller, behind one interface."""
