"""What every layer shares: errors, settings, tensor files, batches of cells and their labels. Never imports AiiDA."""
