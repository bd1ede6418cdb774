"""What a potential is worth: properties of aluminium, each as structures, evaluation and analysis."""
