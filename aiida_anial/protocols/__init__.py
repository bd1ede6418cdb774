"""The protocols demo, laptop and paper, and the way from settings to the inputs of a campaign and back."""
