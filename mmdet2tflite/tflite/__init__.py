"""The TFLite file itself: reading and writing it, its operators, its padding, its axes."""
