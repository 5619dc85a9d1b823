"""From the telephone system to a call and its touch, and from a tracking number to who rings."""
