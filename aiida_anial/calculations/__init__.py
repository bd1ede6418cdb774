"""Jobs that run ``anial-worker`` on a computer."""
