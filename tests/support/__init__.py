"""What tests share: a server, databases, an application, factories."""
