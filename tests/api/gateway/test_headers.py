"""Which headers pass."""

from starlette.datastructures import Headers

from api.gateway.headers import to_caller, to_vendor


def test_what_a_vendor_needs_passes_and_nothing_else():
    given = Headers(
        {
            "Authorization": "Bearer perdure_secret",
            "x-api-key": "perdure_secret",
            "Coder-Session-Token": "perdure_secret",
            "api-key": "perdure_secret",
            "Cookie": "coder_session_token=perdure_secret",
            "X-Perdure-Organization": "an id",
            "OpenAI-Organization": "org-of-somebody-else",
            "OpenAI-Project": "a project",
            "Idempotency-Key": "1",
            "Host": "perdure.example.com",
            "Connection": "keep-alive, anthropic-hop",
            "Transfer-Encoding": "chunked",
            "Content-Length": "9",
            "X-Forwarded-For": "10.0.0.1",
            "Accept-Encoding": "gzip",
            "anthropic-hop": "for the next only",
            "anthropic-version": "2023-06-01",
            "OpenAI-Beta": "x=v1",
            "X-Stainless-Lang": "python",
            "User-Agent": "agent/1",
            "Content-Type": "application/json",
        }
    )
    assert to_vendor(given, {"x-api-key": "the key", "content-length": "7"}) == {
        "accept": "*/*",
        "accept-encoding": "identity",
        "anthropic-version": "2023-06-01",
        "content-length": "7",
        "content-type": "application/json",
        "openai-beta": "x=v1",
        "user-agent": "agent/1",
        "x-api-key": "the key",
        "x-stainless-lang": "python",
    }


def test_a_header_that_comes_twice_passes_as_one():
    given = Headers(
        raw=[(b"anthropic-beta", b"a"), (b"anthropic-beta", b"b"), (b"accept", b"text/event-stream")]
    )
    passed = to_vendor(given, {})
    assert (passed["anthropic-beta"], passed["accept"]) == ("a, b", "text/event-stream")


def test_what_a_vendor_says_of_the_account_stays_here():
    given = [
        ("Content-Type", "application/json"),
        ("Content-Length", "2"),
        ("Retry-After", "3"),
        ("x-request-id", "req_1"),
        ("request-id", "req_2"),
        ("x-ratelimit-remaining-tokens", "5"),
        ("anthropic-ratelimit-tokens-limit", "6"),
        ("anthropic-organization-id", "secret"),
        ("openai-organization", "secret"),
        ("openai-project", "secret"),
        ("Set-Cookie", "a=b"),
        ("Connection", "close"),
        ("Transfer-Encoding", "chunked"),
        ("Access-Control-Allow-Origin", "*"),
        ("Location", "https://elsewhere.example.com"),
    ]
    assert to_caller(given) == [
        (b"content-type", b"application/json"),
        (b"content-length", b"2"),
        (b"retry-after", b"3"),
        (b"x-upstream-request-id", b"req_1"),
        (b"request-id", b"req_2"),
        (b"x-ratelimit-remaining-tokens", b"5"),
        (b"anthropic-ratelimit-tokens-limit", b"6"),
    ]
