"""How long each kind of thing is kept, what is held, and what is deleted when its time is over.

kinds.py is the one place that says the limits. holdings.py looks for the oldest of each kind, status.py holds the two
against each other, deleting.py does once an hour what the limits ask for.
"""
