"""One self-contained HTML page that shows the data, the models and what they recommend."""
