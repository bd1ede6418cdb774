"""A campaign without AiiDA: its settings, and the rules by which the disagreement threshold follows it."""
