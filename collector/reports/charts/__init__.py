"""Charts of published values: what they show as numbers, how that looks, and the picture. Error is always drawn."""
