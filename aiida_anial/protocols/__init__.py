"""What a campaign can be told, and the protocols that tell it: demo, laptop, paper."""
