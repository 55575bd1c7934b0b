"""Channels of one tensor get like ranges before it becomes integers with one scale for all."""
