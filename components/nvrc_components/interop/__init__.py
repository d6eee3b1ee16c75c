"""Our components behind other libraries' interfaces: one package for each library, which it alone imports."""
