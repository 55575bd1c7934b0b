"""`make chaos`: runs are killed, starved and crowded, and must end well all the same."""
