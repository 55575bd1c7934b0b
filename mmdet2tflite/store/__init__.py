"""The content-addressed store of artefacts, in a folder or an object store."""
