"""People who sign in: accounts, passkeys and one-time codes, sessions, roles."""
