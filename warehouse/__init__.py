"""Storage: catalog files, landing, store, checks, publication, readers. All SQL lives here."""
