from .assessment import Assessment as Assessment
from .backbones import BackboneSpec as BackboneSpec
from .backbones import get_backbone as get_backbone
from .backbones import list_backbones as list_backbones
from .backbones import register_backbone as register_backbone
from .classifier import TumorClassifier as TumorClassifier
from .data import Dataset as Dataset
from .data import load_dataset as load_dataset
from .errors import BackboneError as BackboneError
from .errors import BundleError as BundleError
from .errors import DataError as DataError
from .errors import ImageError as ImageError
from .errors import MRITumorError as MRITumorError
from .errors import NotFittedError as NotFittedError
from .errors import ParameterError as ParameterError
from .errors import WeightsError as WeightsError
from .evaluation import EvaluationReport as EvaluationReport
from .evaluation import evaluate_predictions as evaluate_predictions
from .explain import Heatmap as Heatmap
from .explain import grad_cam as grad_cam
from .images import read_image as read_image
from .phantoms import Phantoms as Phantoms
from .phantoms import make_phantoms as make_phantoms

__version__: str
