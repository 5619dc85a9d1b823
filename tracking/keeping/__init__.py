"""Keeping the data: backups, changes of key, people who are forgotten, how long what is kept."""
