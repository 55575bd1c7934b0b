"""Tools in child processes, and what they share: the machine, its memory, locks, signals."""
