"""Accuracy: the product against data whose truth is known, written to docs/accuracy.md by the command that
measured it.
"""
