"""Acme Pumps, a supplier out of the simulator to try everything with."""
