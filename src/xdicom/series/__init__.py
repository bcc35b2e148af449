"""Rows of a frame table become grids: stacks, dims, geometry, coordinates."""
