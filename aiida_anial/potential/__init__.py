"""Descriptors, networks, ensembles, their files, and the engines that evaluate them. Never imports AiiDA."""
