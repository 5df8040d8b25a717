"""Mutated packets and mutated RTSP and SDP replies, fed to the ingest that the product runs."""
