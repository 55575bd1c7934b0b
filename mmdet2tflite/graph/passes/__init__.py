"""The passes of the canonical form, one a file."""
