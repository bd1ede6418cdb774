"""Storage and brokers of AiiDA: what they hold, and how the workers of a daemon outlive their absence."""
