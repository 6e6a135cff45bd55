"""What no single account shows: features told to their owners, and what comes back for an account."""
