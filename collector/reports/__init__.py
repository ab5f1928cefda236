"""What product managers see: published cells only, with their error."""
