"""What the psABI says, as rows: relocation rules, relaxations, stubs."""
