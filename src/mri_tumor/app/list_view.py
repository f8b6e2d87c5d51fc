"""Many cases: a table, its download, and which one to look at."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import streamlit as st

from mri_tumor.app.tables import answer_rows, answers_csv
from mri_tumor.images.messages import shown

if TYPE_CHECKING:
    from mri_tumor.app.cases import Case
    from mri_tumor.runtime import Runtime


def choose_case(cases: list[Case], model: Runtime) -> Case:
    """Show all answers as a table, and return the case to look at."""
    rows = answer_rows(cases, model.rule_)
    counts = Counter(case.row["status"] for case in cases)
    without = counts["refused"] + counts["error"]
    st.subheader(f"{len(cases):,} answers")
    st.caption(
        f"{without:,} without an answer, {counts['uncertain']:,} uncertain. An empty probability "
        "means that there is none, not that it is low."
    )
    st.dataframe(
        rows,
        hide_index=True,
        column_config={
            "P(tumour)": st.column_config.NumberColumn(format="%.1f %%", width="small"),
            "Why": st.column_config.TextColumn(width="large"),
        },
        alt="Answers for all files; the CSV holds the same.",
        key="table",
    )
    st.download_button(
        "Download all as CSV",
        answers_csv(cases, [str(name) for name in model.classes_]),
        "mri-tumor-answers.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/download:",
    )
    names = [f"{i}. {shown(case.name)}" for i, case in enumerate(cases, 1)]
    chosen = st.selectbox("Look at", names, key=f"case-{len(cases)}")
    return cases[names.index(chosen)]
