"""Jobs of Tollgate's own API: `POST /v1/jobs`, a Converse request with its model."""
