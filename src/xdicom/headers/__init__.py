"""Bytes become rows: headers are parsed, refused or kept as columns of raw text."""
