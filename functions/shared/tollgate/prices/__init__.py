"""Price book data; read through `tollgate.domain.prices`."""
