"""Models of an organization, and which one serves which purpose."""
