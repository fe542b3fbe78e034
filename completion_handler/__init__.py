"""The completion Lambda: reports, dead letters, ECS task events and the tick. Jobs end here."""
