"""A DICOM object, from its bytes to 8-bit gray, one frame at a time."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from typing import Any, BinaryIO

import cv2
import numpy as np

from pipeline.data.reading.assumptions import Notes, ReadScan, ScanHeader
from pipeline.data.reading.dicom_chain import ct_values
from pipeline.data.reading.dicom_chain.colour_spaces import (
    COLOUR,
    MONOCHROME,
    YBR_TRANSFORMED_BY_CODEC,
    to_eight_bits,
    to_rgb,
)
from pipeline.data.reading.dicom_chain.file_bytes import deflated_from, inflated
from pipeline.data.reading.dicom_chain.header_numbers import Attributes, first_line
from pipeline.data.reading.dicom_chain.modality_transform import ModalityTransform, read_modality_transform
from pipeline.data.reading.dicom_chain.palette import through_palette
from pipeline.data.reading.dicom_chain.pixel_frames import PixelFrames, read_pixel_frames
from pipeline.data.reading.dicom_chain.presentation import to_bytes, white_at_the_low_end
from pipeline.data.reading.dicom_chain.stored_values import Picture, read_picture
from pipeline.data.reading.dicom_chain.voi_transform import shown_range, voi_choices
from pipeline.data.reading.file_integrity import BROKEN_REMEDY
from pipeline.engine.errors import DataError

PERCENTILES = (0.5, 99.5)
# The transfer syntax stands near the front of the meta information.
_META_BYTES = 4096
XRAY_MODALITIES = frozenset({"CR", "DX", "DR", "RG", "XR", "RF"})
OPEN_MODALITIES = frozenset({"OT", "SC", ""})
CT_CLASSES = frozenset({"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"})


@dataclass(frozen=True, slots=True)
class DicomObject:
    """A parsed object: `read` gives the pixels of a frame, `hounsfield` those of a CT frame before the window."""

    dataset: Any
    notes: Notes
    frames: PixelFrames
    modality: str | None

    @property
    def count(self) -> int:
        return self.frames.count

    def attributes(self, frame: int) -> Attributes:
        """The object's elements as they hold for one frame (PS3.3 C.7.6.16: functional groups)."""
        whole = Attributes([self.dataset], self.notes.copy())
        layers: list[Any] = []
        per_frame = whole.items("PerFrameFunctionalGroupsSequence")
        for groups in (per_frame[frame : frame + 1], whole.items("SharedFunctionalGroupsSequence")[:1]):
            for group in groups:
                for macro in _MACROS:
                    layers.extend(part for item in group.items(macro)[:1] for part in item.layers)
        return Attributes([*layers, self.dataset], whole.notes) if layers else whole

    def header(self, frame: int) -> ScanHeader:
        """What the header says of one frame."""
        return self._header(self.attributes(frame))

    def _header(self, attributes: Attributes) -> ScanHeader:
        image_type = _image_type(attributes)
        return ScanHeader(
            "DICOM", self.modality, image_type, ct_values.is_localizer(image_type), self.count,
            self.frames.photometric, self.frames.cells.stored, position_mm=ct_values.slice_position(attributes),
        )  # fmt: skip

    def read(self, frame: int, with_colour: bool = True, vouched: bool = False) -> ReadScan:
        """Frame 0 … count-1 as gray, colour, assumptions and header; raises DataError as `open_dicom` does.

        A CT frame's values are held against the range of Hounsfield units, unless its volume has vouched for them.
        """
        attributes = self.attributes(frame)
        header = self._header(attributes)
        if self.modality == "ct":
            ct_values.refuse_localizer(header.image_type, attributes.notes.name)
            ct_values.warn_of_derived(attributes, header.image_type)
        if self.frames.photometric not in MONOCHROME:
            colour = self._colour(attributes, frame)
            if self.modality == "ct":
                attributes.notes.add("capture", "The CT image is a picture in colour, taken as gray: no Hounsfield units.")
            gray = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
            return ReadScan(gray, colour if with_colour else None, attributes.notes.all(), header)
        picture = self._picture(attributes, frame)
        gray, hounsfield = self._gray(attributes, picture, vouched)
        return ReadScan(picture.shown(gray), None, attributes.notes.all(), replace(header, hounsfield=hounsfield))

    def hounsfield(self, frame: int) -> np.ndarray:
        """A CT frame in Hounsfield units, float32 (H, W), padding as −3024; not held against the range.

        Raises DataError where the header has no slope and intercept, or for a localizer.
        """
        attributes = self.attributes(frame)
        ct_values.refuse_localizer(_image_type(attributes), self.notes.name)
        if self.frames.photometric not in MONOCHROME:
            raise ct_values.refuse_not_hounsfield(f"it is a {self.frames.photometric} picture", self.notes)
        picture = self._picture(attributes, frame)
        modality = read_modality_transform(attributes, self.frames.cells)
        finding = ct_values.hounsfield_fault(modality, attributes)
        if finding:
            raise ct_values.refuse_not_hounsfield(finding, self.notes)
        values = modality(picture.stored).astype(np.float32)
        if picture.padding is not None:
            values[picture.padding] = PADDING_HU
        return values[picture.index]

    def _picture(self, attributes: Attributes, frame: int) -> Picture:
        return read_picture(attributes, self.frames.cells, self.frames.words(frame)[0])

    def _gray(self, attributes: Attributes, picture: Picture, vouched: bool) -> tuple[np.ndarray, bool]:
        """uint8 of every word, and whether it came from Hounsfield units."""
        modality = read_modality_transform(attributes, self.frames.cells)
        if self.modality == "ct":
            gray = self._slice(attributes, modality, picture, vouched)
            if gray is not None:
                return gray, True
        shown = self._radiograph(attributes, modality, picture)
        if white_at_the_low_end(attributes, self.frames.photometric):
            shown = np.asarray(255 - shown, np.uint8)
        return shown, False

    def _slice(
        self, attributes: Attributes, modality: ModalityTransform, picture: Picture, vouched: bool
    ) -> np.ndarray | None:
        """Gray of every word through the lung window; None for a windowed 8-bit capture, which is gray already."""
        finding = ct_values.hounsfield_fault(modality, attributes)
        values = modality(picture.stored).astype(np.float32)
        if not vouched and finding is None:
            finding = ct_values.not_hounsfield(picture.thinned().inside(values))
        if finding is None:
            if self.frames.photometric == "MONOCHROME1":
                attributes.notes.add("polarity", "The CT says MONOCHROME1: Hounsfield units count, nothing is inverted.", False)
            return ct_values.lung_window(values)
        if self.frames.cells.stored > 8:
            raise ct_values.refuse_not_hounsfield(finding, attributes.notes)
        attributes.notes.add("capture", f"The CT image has 8 bits and no Hounsfield units ({finding}): taken as windowed gray.")
        return None

    def _radiograph(self, attributes: Attributes, modality: ModalityTransform, picture: Picture) -> np.ndarray:
        """Gray of every word by the first VOI LUT or window that shows anything, the whole range, or percentiles."""
        values = modality(picture.stored)
        if attributes.text("PresentationIntentType") == "FOR PROCESSING":
            attributes.notes.add("intent", "The radiograph is FOR PROCESSING: raw values, not the picture that is looked at.")
        # A capture's window, where it has one, is the one of the picture it was made from.
        for sentence, choice in [] if self.modality == "ct" else voi_choices(attributes, modality):
            gray = to_bytes(*shown_range(choice, values, modality.span))
            seen = picture.inside(gray)
            if seen.max() > seen.min():
                attributes.notes.add("window", f"Shown through {sentence}.", "first of" in sentence)
                return gray
            attributes.notes.add("window", f"Not shown through {sentence}: it leaves nothing to see.")
        if self.frames.cells.stored <= 8:
            return to_bytes(values, *sorted(modality.span))
        low, high = np.percentile(picture.inside(values.astype(np.float32)), PERCENTILES)
        attributes.notes.add("window", "The header has no window: shown between the 0.5th and the 99.5th percentile.")
        return to_bytes(values, float(low), float(high))

    def _colour(self, attributes: Attributes, frame: int) -> np.ndarray:
        """RGB uint8 (H, W, 3) of a palette or a colour object."""
        if attributes.has("WindowCenter") or attributes.has("VOILUTSequence"):
            attributes.notes.add("window", f"The header's window does not apply to {self.frames.photometric}: not used.", False)
        cells, photometric = self.frames.cells, self.frames.photometric
        if photometric == "PALETTE COLOR":
            picture = self._picture(attributes, frame)
            return through_palette(attributes, picture.stored, cells.signed)[picture.index]
        words, stream = self.frames.words(frame)
        if photometric in YBR_TRANSFORMED_BY_CODEC and (stream is None or stream.kind != "JPEG 2000"):
            raise attributes.fault(f"it is {photometric} and not of JPEG 2000")
        space = photometric
        if stream is not None and stream.space is not None and stream.kind == "JPEG":
            space = stream.space
            if (space == "RGB") != (photometric == "RGB"):
                attributes.notes.add("colour", f"The header says {photometric}, its JPEG is coded as {space}: read so.")
        return to_rgb(to_eight_bits(cells.values(words), cells.stored), space)


# Below any window: what is outside the field of view.
PADDING_HU = -3024.0
_MACROS = (
    "PixelValueTransformationSequence", "FrameVOILUTSequence", "PlanePositionSequence", "PlaneOrientationSequence",
    "CTImageFrameTypeSequence", "XRay3DFrameTypeSequence",
)  # fmt: skip


def open_dicom(data: bytes, name: str) -> DicomObject:
    """The image object in `data`; pixels are decoded when they are asked for.

    Raises DataError naming `name`: not readable as DICOM, no pixels, another modality (MR, US, RTSTRUCT…), a header
    that contradicts itself or its pixel data.
    """
    notes = Notes(name)
    dataset = _parse(data, name)
    attributes = Attributes([dataset], notes)
    modality = _modality(attributes)
    if not attributes.has("PixelData"):
        what = "floating-point pixels only" if attributes.has("FloatPixelData") or attributes.has("DoubleFloatPixelData") else ""
        kind = attributes.text("Modality")
        raise DataError(
            f"{name}: DICOM object without pixel data{f' ({what or kind})' if what or kind else ''}, or cut off before it.",
            "Export it again, or leave it out.",
        )
    photometric = attributes.text("PhotometricInterpretation")
    if not photometric:
        samples = attributes.integer("SamplesPerPixel", 1)
        photometric = "MONOCHROME2" if samples == 1 else "RGB"
        notes.add("polarity", f"The header has no PhotometricInterpretation, taken as {photometric}.")
    if photometric not in MONOCHROME | COLOUR | {"PALETTE COLOR"}:
        raise attributes.fault(f"its PhotometricInterpretation is {photometric[:32]!r}")
    frames = read_pixel_frames(dataset, attributes, photometric, _transfer_syntax(dataset, notes))
    return DicomObject(dataset, notes, frames, modality)


@cache
def _quiet_pydicom() -> None:
    """What is odd is said as an assumption or a DataError here; pydicom's own warnings quote the header's values."""
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="pydicom")


def parsed_header(data: bytes, name: str) -> Any:
    """The elements before the pixels, as pydicom's data set. Raises DataError: not readable as DICOM."""
    return _parse(data, name, stop_before_pixels=True)


def parsed_stream(stream: BinaryIO, name: str) -> Any:
    """`parsed_header` of an open file, of which no more is read than its header takes; a deflated one is read whole."""
    stream.seek(0)
    deflated = deflated_from(stream.read(_META_BYTES)) is not None
    stream.seek(0)
    return parsed_header(stream.read(), name) if deflated else _parsed(stream, name, stop_before_pixels=True)


def text_of(header: Any, keyword: str, name: str) -> str:
    """An element of a data set as it is written, in its character set; "" where there is none. Raises DataError: unreadable."""
    with _unreadable(name):
        return str(getattr(header, keyword, None) or "").strip(" \0")


def _parse(data: bytes, name: str, stop_before_pixels: bool = False) -> Any:
    return _parsed(BytesIO(inflated(data, name)), name, stop_before_pixels)


def _parsed(stream: BinaryIO, name: str, stop_before_pixels: bool) -> Any:
    import pydicom

    _quiet_pydicom()
    with _unreadable(name):
        return pydicom.dcmread(stream, force=True, stop_before_pixels=stop_before_pixels)


@contextmanager
def _unreadable(name: str) -> Iterator[None]:
    """pydicom raises whatever a broken element makes it stumble over: told as one DataError."""
    try:
        yield
    except Exception as cause:
        raise DataError(f"{name}: not readable as DICOM ({first_line(cause)}).", BROKEN_REMEDY) from cause


def _modality(attributes: Attributes) -> str | None:
    told = attributes.text("Modality")
    if told == "CT" or not told and attributes.text("SOPClassUID") in CT_CLASSES:
        return "ct"
    if told in XRAY_MODALITIES:
        return "xray"
    if told in OPEN_MODALITIES:
        return None
    raise DataError(
        f"{attributes.notes.name}: DICOM modality {told[:16]!r} is neither an X-ray nor CT.", "Leave it out."
    )


def _transfer_syntax(dataset: Any, notes: Notes) -> str | None:
    told = str(getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None) or "").strip(" \0")
    if not told:
        notes.add("encoding", "The object tells no transfer syntax: told from its bytes.", False)
    return told or None


def _image_type(attributes: Attributes) -> tuple[str, ...]:
    return attributes.texts("FrameType") or attributes.texts("ImageType")
