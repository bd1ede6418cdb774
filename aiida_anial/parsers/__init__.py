"""What the jobs of ``anial-worker`` left, as nodes."""
