//! Text: masking log lines, hashing templates, splitting into words.
