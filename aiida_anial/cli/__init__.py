"""The command line ``aiida-anial``."""
