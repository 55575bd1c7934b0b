"""Files of strangers, read without being led astray or filling the memory; digests; full disks."""
