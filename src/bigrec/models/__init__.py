"""The five models, one file each: arrays in, arrays out."""
