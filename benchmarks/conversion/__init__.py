"""`make bench`: the pipeline's files against those that the tools write by themselves."""
