"""A grid becomes a Dataset, a table a DataTree."""
