"""What datasets and models share: names, dtypes and vocabulary sizes."""
