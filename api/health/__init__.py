"""For those who run the API: is it up, can it work, how is it doing."""
