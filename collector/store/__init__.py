"""The ClickHouse engine, its tables, and the loader that hands sealed segments to it."""
