"""The service: telephone systems, sales reps, marketers, imports, storage, pages, command line."""
