"""Acme Pumps, a made-up supplier: the files that fill an empty installation, and a start for your own."""
