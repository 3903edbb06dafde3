"""Programs that run in the virtual environments of the compared packages, which have no others."""
