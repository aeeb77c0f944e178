"""Where results come from: every source ends in landing.

Belongs here: fetching and collecting bytes. Does not belong here: what the bytes mean.
"""
