"""Why a student is robust or is not."""
