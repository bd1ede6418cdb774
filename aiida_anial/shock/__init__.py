"""Shock waves: the input of LAMMPS, profiles along the wave, Hugoniot points, and surroundings of atoms cut out."""
