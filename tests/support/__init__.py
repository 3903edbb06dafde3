"""What tests share: the server, databases, programs."""
