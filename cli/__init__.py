"""The command line and the composition root: where the other rooms are put together."""
