"""The gateway: the vendors' own APIs, with a token of ours in place of their key."""
