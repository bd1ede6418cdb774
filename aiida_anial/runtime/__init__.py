"""What this package builds on in AiiDA that AiiDA does not promise: hooks into its engine, storage and brokers."""
