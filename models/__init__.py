"""Data. The modules beside this one are pure and importable inside a workflow; `tables`, `store` and
`migrations` talk to Postgres and never are."""
