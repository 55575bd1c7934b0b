"""Where files are made: threads of this machine, or a cluster of Dask's."""
