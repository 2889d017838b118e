"""What a tenant may call, and what it has used."""
