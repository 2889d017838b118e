"""Stand-ins for the model services, as strict as they are."""
