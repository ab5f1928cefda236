"""The server side: reports in, protected counts out. Data flows ingest -> store -> publish -> reports."""
