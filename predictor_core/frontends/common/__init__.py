"""What several front ends share: walks, calls, known values, loops, files, protobuf's wire format."""
