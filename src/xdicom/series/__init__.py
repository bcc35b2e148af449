"""Rows become a grid: stacks, dims, geometry and coordinates."""
