"""The process: settings, logging, metrics, connections. Imports nothing of ours but `models`."""
