"""Data sets: found on disk, checked, grouped by what belongs together, and split."""

from mri_tumor.data.audit import audit_dataset
from mri_tumor.data.audit_report import AuditReport, Pair
from mri_tumor.data.dataset import Dataset, Record
from mri_tumor.data.duplicates import (
    NEAR_RADIUS,
    NearPairs,
    connected_groups,
    group_duplicates,
    near_pairs,
)
from mri_tumor.data.hashing import (
    Fingerprint,
    fingerprint_file,
    fingerprint_files,
    fingerprint_image,
    perceptual_hashes,
)
from mri_tumor.data.loading import load_dataset
from mri_tumor.data.problems import Problem
from mri_tumor.data.shortcuts import Shortcut, check_shortcuts
from mri_tumor.data.splitfiles import read_split, write_split
from mri_tumor.data.splits import (
    DataWarning,
    Leaks,
    LeakWarning,
    check_split,
    k_fold,
    leave_one_source_out,
    split_by_group,
)

__all__ = [
    "NEAR_RADIUS",
    "AuditReport",
    "DataWarning",
    "Dataset",
    "Fingerprint",
    "LeakWarning",
    "Leaks",
    "NearPairs",
    "Pair",
    "Problem",
    "Record",
    "Shortcut",
    "audit_dataset",
    "check_shortcuts",
    "check_split",
    "connected_groups",
    "fingerprint_file",
    "fingerprint_files",
    "fingerprint_image",
    "group_duplicates",
    "k_fold",
    "leave_one_source_out",
    "load_dataset",
    "near_pairs",
    "perceptual_hashes",
    "read_split",
    "split_by_group",
    "write_split",
]
