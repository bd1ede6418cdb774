"""The compiled kernels of the CPU engine."""
