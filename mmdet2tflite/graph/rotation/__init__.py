"""A whole graph rotated by 180°: what that does to each operator."""
