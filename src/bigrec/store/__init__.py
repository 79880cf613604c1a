"""The store on disk: where each file lies, what the manifest says, how it is written and opened."""
