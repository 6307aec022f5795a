"""`textgen serve`: an HTTP server for exported models, and a page to write on."""
