"""What Streamlit runs for each session, again at every change."""

from mri_tumor.app.page import show

show()
