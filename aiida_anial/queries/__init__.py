"""Questions to the graph, answered with plain records."""
