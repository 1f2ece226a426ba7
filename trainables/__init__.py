"""What is trained: students, teachers, methods, alignments, attacks."""
