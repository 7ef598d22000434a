"""Effects: thin Temporal activities and the libraries they drive."""
