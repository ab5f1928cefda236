"""A believable fleet, made up from a seed: something to look at before the first real day is over."""
