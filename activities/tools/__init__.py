"""Tools the model may call: one file each, found through the registry."""
