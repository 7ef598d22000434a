"""What it means that a connection failed, whichever SDK sat on top of it."""

import ssl

import httpx2


class UnreadableStream(Exception):
    """An event of the stream is not what the protocol says."""


MAX_RAW_CHARACTERS = 64 * 1024

_UNREADABLE = "server error: a part of the stream could not be read"
_RESET = "connection reset"
_TLS = "malformed configuration: the TLS certificate of the endpoint could not be verified"

_BELOW_THE_CLIENT = frozenset({"anyio", "h11", "h2", "httpcore", "httpcore2", "httpx", "httpx2"})
"""Packages whose exceptions are about the connection, whatever they are."""

# First match wins. A phrase says to people what happened, and to the rules how to sort it. The texts of these
# exceptions are not used: they may quote an address or a key.
_PHRASES: tuple[tuple[type[Exception], str], ...] = (
    (httpx2.ConnectTimeout, "the connection attempt timed out"),
    (httpx2.PoolTimeout, "timed out waiting for a free connection"),
    (httpx2.TimeoutException, "the connection timed out"),
    (httpx2.ConnectError, "connection refused, or no such host"),
    (httpx2.ProxyError, "the proxy is unavailable"),
    (httpx2.NetworkError, _RESET),
    (httpx2.RemoteProtocolError, "unexpected EOF: the connection closed before the answer was complete"),
    (httpx2.LocalProtocolError, "malformed configuration: the key or a header cannot be sent over HTTP"),
    (httpx2.UnsupportedProtocol, "malformed configuration: the address must begin with http or https"),
    (httpx2.InvalidURL, "malformed configuration: the address is not valid"),
    (httpx2.TooManyRedirects, "malformed configuration: the address redirects without end"),
    (httpx2.DecodingError, _UNREADABLE),
    (httpx2.SSEError, _UNREADABLE),
    (UnreadableStream, _UNREADABLE),
    # from below the HTTP client, which does not translate them all
    (TimeoutError, "the connection timed out"),
    (ConnectionRefusedError, "connection refused"),
    (ssl.SSLError, _RESET),
    (EOFError, "unexpected EOF: the connection closed before the answer was complete"),
    (OSError, _RESET),
)


def phrase_of(error: Exception, connection_error: type[Exception]) -> str:
    """What an exception that brings no answer means; empty for one that nobody foresaw.

    Args:
        connection_error: what the SDK wraps around the failures of its client.
    """
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return _TLS
    # The SDK wraps what the HTTP client raised; the innermost that is known says most.
    for known, phrase in _PHRASES:
        if any(isinstance(cause, known) for cause in causes):
            return phrase
    below = any(type(cause).__module__.partition(".")[0] in _BELOW_THE_CLIENT for cause in causes)
    return _RESET if below or any(isinstance(cause, connection_error) for cause in causes) else ""
