"""Who may read the published counts: tokens, sign-in, sessions, the audit trail and hidden values.

Knows nothing of the counts themselves. `install` puts it in front of an application; nothing behind it
answers anyone whom it does not know, except where `gate` lists an address as public.
"""
