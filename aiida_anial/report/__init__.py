"""The release of a campaign: dataset, potential, tables, plots, data card and archive in one folder."""
