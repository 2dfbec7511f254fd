"""An image made live: scopes over the process, reservations, installers, the linker."""
