"""Closes periods: counts once, gates, perturbs and writes cells that are never changed again."""
