"""A client of the API, for the command line and for programs: it repeats safely and resumes streams."""

from cli.client.api import Client
from cli.client.discovery import Server, find_server
from cli.client.errors import ClientError, NoServer, Refused
from cli.client.streaming import LinkLost

__all__ = ["Client", "ClientError", "LinkLost", "NoServer", "Refused", "Server", "find_server"]
