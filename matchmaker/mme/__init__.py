"""The exchange's language: patients, messages, media types, errors. No I/O; knows nobody."""
