"""Phantom patients: chest X-rays and CT slices with exact lung masks, generated from one volume."""

from pipeline.data.phantom.dataset import write_dataset
from pipeline.data.phantom.lesions import CONDITIONS
from pipeline.data.phantom.patient import PhantomPatient, make_patient

__all__ = ["CONDITIONS", "PhantomPatient", "make_patient", "write_dataset"]
