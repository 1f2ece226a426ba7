"""A study over three Ray nodes with a team's services, all of which fail once."""
