"""The app: look at scans in a browser. Runs on Streamlit, answers by the runtime.

Research software, not a medical device. Neither Streamlit nor TensorFlow is loaded by importing
this; TensorFlow never is.
"""

from mri_tumor.app.serving import serve

__all__ = ["serve"]
