"""Commands about all but chats: people and their tokens, providers and models, money, master keys."""
