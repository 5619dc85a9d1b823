"""Who may do what: users, tokens, the audit trail, jobs and saved views."""
