"""The console script ``anial-worker`` that a scheduler runs in the directory of a job. Never imports AiiDA."""
