"""An xarray object becomes DICOM files."""
