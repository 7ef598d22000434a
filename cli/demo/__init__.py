"""`perdure demo`: a chat survives the death of its worker, and every claim about that is checked."""

from cli.demo.story import run

__all__ = ["run"]
