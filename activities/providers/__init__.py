"""Model vendors behind one neutral protocol. Nothing here knows Temporal, and no vendor knows another."""
