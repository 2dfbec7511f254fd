"""`python emit_object.py FROM TO`: an object of a text in LLVM's language, by llvmlite's emit_object."""

import sys
from pathlib import Path

from llvmlite import binding

source, target = map(Path, sys.argv[1:])
binding.initialize_native_target()
binding.initialize_native_asmprinter()
machine = binding.Target.from_default_triple().create_target_machine(reloc="pic", codemodel="small")
target.write_bytes(machine.emit_object(binding.parse_assembly(source.read_text())))
