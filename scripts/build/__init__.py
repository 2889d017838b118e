"""What is made before anything runs: environments, locks, zips, generated docs."""
