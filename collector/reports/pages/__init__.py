"""The dashboard: pages for people, made on the server from published cells; no script, nothing from elsewhere."""
