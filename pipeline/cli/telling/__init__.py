"""How a command tells what it found: a document or words, tables on a terminal."""
