"""Spans and bytes become numbers: where frames lie, how they are decoded and scaled, lazily."""
