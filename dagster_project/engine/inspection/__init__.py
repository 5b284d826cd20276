"""What a snapshot holds and what its steps did, told from the store alone, for a person who decides
what to do next.

`inspection.inspect` asks all questions at once. Each module answers one of them, over the rows that
`rows_looked_at` measured: all of them, or a seeded sample of a large snapshot.
"""
