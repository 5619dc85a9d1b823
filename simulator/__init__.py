"""A synthetic market with a known truth, and models scored against it."""
