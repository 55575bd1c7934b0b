"""`make serve`: servers, worker, dead runs, notifications."""
