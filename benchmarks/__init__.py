"""What is measured or tried on demand, at length, and is no part of the wheel."""
