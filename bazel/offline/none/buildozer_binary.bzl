"""`bazel mod tidy` would have a program here."""

def _none(_):
    pass

buildozer_binary = module_extension(implementation = _none)
