"""What a fleet needs: measured costs, and the sums that are made of them. Knows nothing of the rooms it is about."""
