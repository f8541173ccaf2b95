"""The service: a publishing API, and the foundation to build your own service on."""
