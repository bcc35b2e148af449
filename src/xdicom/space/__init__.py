"""Arrays in patient space become arrays on another grid, or are found by millimetres."""
