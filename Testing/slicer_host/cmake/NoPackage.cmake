# In Slicer this place defines the package target; `cmake --install` shows the same tree.
