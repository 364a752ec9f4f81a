"""Our speed beside that of peers on the same work: `make bench`. Not part of the package."""
