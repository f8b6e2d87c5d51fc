from .errors import MRITumorError as MRITumorError
