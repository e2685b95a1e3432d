"""How an Atom grows: what each role and Redis carry, in line or not, and how much is in flight."""
