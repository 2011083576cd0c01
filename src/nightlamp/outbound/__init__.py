"""Requests that leave the service, to addresses that somebody else chose."""
