"""What people read, in their own language: messages, dates, money."""
