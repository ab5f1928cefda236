"""HTTP in: validate against the schemas, make durable in the spool, then acknowledge."""
