"""Wire models of every record, as frozen pydantic models; imports nothing from `worker`."""
