"""The converters, one a file, and their table."""
