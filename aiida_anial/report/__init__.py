"""What others see of a campaign: its release in one folder, and its page, which is in ``page``."""
