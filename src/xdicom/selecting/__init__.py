"""From an array back to its frames: filters, attribute values, headers, positions."""
