"""Steps that take seconds, each a process that links its outputs to its inputs in the graph."""
