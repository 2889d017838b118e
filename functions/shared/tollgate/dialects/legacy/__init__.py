"""The first seed system's API: `POST /invoke_model` in all its modes."""
