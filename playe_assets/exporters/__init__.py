"""What leaves the system: the report's JSON and its PDF. Heavy libraries are imported when they are used."""
