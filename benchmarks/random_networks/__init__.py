"""Ten thousand random networks through ``convert``, each checked without its own check."""
