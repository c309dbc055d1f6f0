"""Pure: landed answers become observations, observations become records, records become the payload. No I/O, no clock."""
