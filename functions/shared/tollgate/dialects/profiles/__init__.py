"""The second seed system's API: `POST /invoke`, a chat through an inference profile."""
