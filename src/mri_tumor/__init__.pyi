from mri_tumor.errors import MRITumorError as MRITumorError
