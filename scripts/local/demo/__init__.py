"""The demonstration: what happens (`__main__`), what it must come to (`bill`)."""
