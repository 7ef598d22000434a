"""What the model is told of a process and its output."""

from datetime import UTC, datetime

from pydantic import JsonValue

from workspace.protocol import Output, Process

MAX_OUTPUT_BYTES = 32 * 1024

LOST = (
    "The sandbox that ran the command was ended before the command was over. What it had done until then "
    "stays; whether it was finished is unknown. Check before you run it again."
)


def process_result(
    output: Output, *, error: str | None = None, note: str | None = None
) -> dict[str, JsonValue]:
    """The result of `execute` and `process_output`.

    Args:
        error: why the process is not over, if that is a failure.
    """
    process = output.process
    ended = process.state == "exited"
    result: dict[str, JsonValue] = {"success": process.exit_code == 0 if ended else error is None}
    if text := output_text(output):
        result["output"] = text
    result["exit_code"] = exit_code(process) if ended else -1
    result["wall_duration_ms"] = round(age_seconds(process) * 1000)
    if error and not ended:
        result["error"] = error
    if omitted := output.original_bytes - output.retained_bytes:
        result["truncated"] = {
            "original_bytes": output.original_bytes,
            "retained_bytes": output.retained_bytes,
            "omitted_bytes": omitted,
            "strategy": "head_tail",
        }
    if note:
        result["note"] = note
    if process.state == "running":
        result["background_process_id"] = process.id
    return result


def exit_code(process: Process) -> int | None:
    """As a shell tells it: 128 and the signal's number for a process that was ended by one."""
    code = process.exit_code
    return 128 - code if code is not None and code < 0 else code


def age_seconds(process: Process) -> float:
    """How long it ran, or has been running."""
    ended = datetime.fromisoformat(process.exited_at) if process.exited_at else datetime.now(UTC)
    return max(0.0, (ended - datetime.fromisoformat(process.started_at)).total_seconds())


def output_text(output: Output) -> str:
    """Beginning and end, as text that can be stored, within the limit."""
    head, tail = (part.replace("\0", "\ufffd") for part in (output.head, output.tail))
    if not tail and len(head.encode()) <= MAX_OUTPUT_BYTES:
        return head
    if not tail:  # bytes that are no text grow when they are shown as such
        head, tail = head[: len(head) // 2], head[len(head) // 2 :]
    omitted = output.original_bytes - output.retained_bytes
    marker = f"\n[... {omitted} bytes left out here ...]\n" if omitted else "\n[... more left out here ...]\n"
    half = (MAX_OUTPUT_BYTES - len(marker)) // 2
    first = head.encode()[:half].decode(errors="ignore")
    return first + marker + tail.encode()[-half:].decode(errors="ignore")
