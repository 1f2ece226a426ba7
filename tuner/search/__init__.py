"""What to try next, who stops, and what every end teaches."""
