"""What is published of a campaign: plots, tables, a data card, and the folder that holds them."""
