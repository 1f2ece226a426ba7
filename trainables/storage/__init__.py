"""What a run leaves behind, and where: folders and URLs, checkpoints, who may write them."""
