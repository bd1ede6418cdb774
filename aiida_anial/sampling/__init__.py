"""Random cells, temperature schedules, and Langevin dynamics that stop where the ensemble disagrees."""
