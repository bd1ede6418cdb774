"""What ``aiida-anial watch`` shows: lines, or a live screen."""
