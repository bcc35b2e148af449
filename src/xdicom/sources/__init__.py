"""Where bytes come from: listing files with size and time, reading ranges of them."""
