"""
The app
=======

Answers and heatmaps in a browser, on your own computer: ``mri-tumor app`` starts it. This page goes
through the app without a browser, by Streamlit's test bench, and says what stands where.

**Research software, not a medical device.**

.. image:: /images/app-case.png
   :alt: A drawn slice, its answer in words, and the heatmap beside it
"""

# %%
# Start it
# --------
#
# .. code-block:: text
#
#    pip install 'mri-tumor[app]'
#    mri-tumor app
#
# It prints an address, http://localhost:8501 unless you ask for another ``--port``, and needs neither a
# network nor TensorFlow. Here the same page runs in this process:

import logging
import textwrap
from pathlib import Path

from streamlit.testing.v1 import AppTest

import mri_tumor.app

logging.disable(logging.WARNING)  # Streamlit would tell that no browser is there


def say(text):
    """Print what the page says, in lines of a width to read."""
    print(textwrap.fill(text.replace("\\", ""), 84))


page = AppTest.from_file(str(Path(mri_tumor.app.__file__).with_name("script.py")))
page.default_timeout = 120
page.run()
print(page.warning[0].value)

# %%
# Choose what to look at
# ----------------------
#
# Files, a folder, or *Synthetic samples*: four drawn slices, and a picture that is no scan.

page.session_state["kind"] = "Synthetic samples"
page.run()
page.dataframe[0].value

# %%
# One line for each file. *Refused* means that the picture does not look like a brain MRI slice to the
# model, and *uncertain* that neither a tumour nor its absence can be excluded. Neither says anything
# about health.
#
# Look at one
# -----------
#
# Below the table stands one case: what it was called, what that means, the probability of a tumour in
# words, and the heatmap beside the scan.

print(page.metric[0].label, page.metric[0].value)
for one in page.caption[:4]:
    say(f"- {one.value}")

# %%
# The picture that is no scan gets no probability and no heatmap:

chosen = next(box for box in page.selectbox if box.label == "Look at")
chosen.set_value(chosen.options[-1]).run()
say(page.warning[1].value)

# %%
# Keep it
# -------
#
# *Download* gives all answers as CSV, as ``mri-tumor predict`` writes them, and one case as a page of PDF
# or PNG. Uploads stay in memory: they are never written or logged.
#
# .. image:: /images/app-table.png
#    :alt: A table of answers, one of them refused
#
# :doc:`/how-to/app` has volumes, your own models, and who can see what.
