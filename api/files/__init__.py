"""Files that people attach to chats."""
