"""What the full-text search of messages is made of: a function of the database, and which rows it is for.

The words are in an index over an expression, not in a column: rows stay as they are, so that keeping the
index is no change of history (spec state-machine.md section 4), and nothing is stored twice.
"""

from sqlalchemy import DDL, Table, event

SEARCHED = "role IN ('user', 'assistant') AND visibility <> 'model' AND NOT deleted"
"""Condition of the index. Queries repeat it word for word: the planner has to see that the index serves."""

WORDS = "message_words(content)"
"""The words of a message, a `tsvector`."""

# NUL, which text cannot hold, is taken out before the content is looked into: an escape `\u0000` with an even
# number of backslashes before it. 100,000 characters never reach the limit of a tsvector, 1 MB, beyond which
# Postgres would refuse the row. The cost tells the planner to rather use the index than call the function.
_CREATE = r"""
CREATE FUNCTION message_words(content json) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000
AS $words$
SELECT to_tsvector('simple'::regconfig, left(string_agg(part ->> 'text', ' '), 100000))
  FROM jsonb_array_elements(
       CASE WHEN strpos(content::text, '\u0000') > 0
            THEN regexp_replace(content::text, '(?<!\\)((?:\\\\)*)\\u0000', '\1', 'g')
            ELSE content::text
       END::jsonb) AS part
 WHERE part ->> 'type' = 'text'
$words$
"""


def index_words_of(messages: Table) -> None:
    """Have the function made and dropped along with the table."""
    # a percent sign would be one of SQLAlchemy's; there is none
    event.listen(messages, "before_create", DDL(_CREATE))
    event.listen(messages, "after_drop", DDL("DROP FUNCTION IF EXISTS message_words(json)"))
