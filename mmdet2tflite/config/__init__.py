"""What an experiment says: its sections, its defaults, and the reading of its file."""
