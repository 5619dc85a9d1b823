"""The engine: journeys in, credit out; no web, no database, no clock."""
