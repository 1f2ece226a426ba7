"""Running a study on Ray, and what is seen of it meanwhile."""
