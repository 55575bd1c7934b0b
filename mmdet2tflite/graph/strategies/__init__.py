"""The padding strategies, one a file, and their table."""
