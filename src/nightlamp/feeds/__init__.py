"""Feeds: standing subscriptions that keep banks in step with the exchanges that own the lists.

Promises: entries and checkpoint are one transaction; withdrawals are honoured; one source's delete never
removes another's entry; a hostile exchange cannot hurt the service or make it forget its list.
"""
