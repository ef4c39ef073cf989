"""What outlives a process: tables, migrations, recordings. Nothing here decides what is said or marked."""
