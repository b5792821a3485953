"""Custody: the append-only log of who held the evidence and how every derivative was made."""
