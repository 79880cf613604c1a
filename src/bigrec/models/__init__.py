"""The models, a folder each family: arrays in, arrays out."""
