"""Continue a campaign: read what it has finished, and check that it can be reused."""
