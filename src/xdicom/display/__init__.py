"""Arrays become figures: montage."""
