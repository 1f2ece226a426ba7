"""One run over several processes: who has which images, where they meet, on which Ray."""
