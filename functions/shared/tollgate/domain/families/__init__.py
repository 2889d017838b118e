"""What is known of each model family's native bodies: a module per family; `registry` finds it."""
