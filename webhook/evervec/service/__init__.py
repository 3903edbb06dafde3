"""The webhook: thin routes over the functions of the database, and one run in the background."""
