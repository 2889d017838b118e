"""Long-poll streaming: the producer behind the queue, and `GET /v1/jobs/{id}`."""
