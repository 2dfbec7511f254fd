"""What debug information says about the functions and variables of an object."""
