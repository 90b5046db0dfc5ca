"""What several front ends share: calls of source nodes, known values, protobuf's wire format."""
