"""Reports for people: functions of plain rows and of a `LatencyReport`."""
