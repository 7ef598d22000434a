"""The beginnings of files, as long as their kind needs to be told."""

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"
GIF = b"GIF89a\x01\x00\x01\x00\x00"
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 \x18\x00"
PDF = b"%PDF-1.7\n1 0 obj\n"
ZIP = b"PK\x03\x04\x14\x00\x00\x00"
