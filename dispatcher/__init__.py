"""The dispatcher Lambda: the doors. It takes uploads and requests, and opens jobs for them."""
