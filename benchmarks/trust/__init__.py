"""Bars of trust: each prints its figure and fails below it. See docs/trust.md."""
