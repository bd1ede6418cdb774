"""The program ``anial-worker``, which a scheduler runs in the directory of a job; it never imports AiiDA."""
