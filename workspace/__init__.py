"""Where commands run: the program in the sandbox, the ways to start it, and the client that talks to it."""
