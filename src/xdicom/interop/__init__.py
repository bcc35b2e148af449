"""Arrays become NIfTI files and the images of SimpleITK and highdicom, affines included."""
