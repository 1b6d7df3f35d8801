"""What the commands that ask a bundle share: their options, their pictures, and what they say of many answers."""
