"""What all else stands on: settings, the database and its tables, sealed numbers, money, phone numbers."""
