"""The price book: made from published prices, checked, compared with AWS's offers."""
