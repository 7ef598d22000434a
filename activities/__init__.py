"""Effects: model calls, tool calls, commits; thin activities over libraries that know nothing of Temporal."""
