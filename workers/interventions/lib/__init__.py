"""What interventions share."""
