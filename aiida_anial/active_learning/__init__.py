"""Settings of a campaign, and the rule of the disagreement thresholds. Never imports AiiDA."""
