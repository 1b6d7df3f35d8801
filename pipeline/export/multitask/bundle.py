"""A finished run as a bundle: ONNX graphs, preprocessing, class names, figures, model card and hashes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pipeline.engine.files import atomic_write_text
from pipeline.export.bundle_folder import (
    SCHEMA_VERSION,
    file_table,
    refuse_foreign_folder,
    staged_bundle,
    without_folders,
    write_description,
)
from pipeline.export.card.multitask import CardFacts, write_card
from pipeline.export.multitask import composed_networks as composed
from pipeline.export.multitask.finished_run import MODALITIES, ROLES, SYSTEM, FinishedRun
from pipeline.export.multitask.run_figures import read_figures
from pipeline.export.multitask.run_parity import compare_backbone_rows, compare_stored_rows, compare_whole_path
from pipeline.export.multitask.stored_backbones import StoredBackbone, collect_backbones
from pipeline.export.onnx.graphs import convert_network, graph_metadata
from pipeline.export.onnx.kernel_files import write_graphs
from pipeline.export.onnx.packing import pack_largest
from pipeline.export.onnx.stored_weights import store_as_float16
from pipeline.export.parity import Graph, ParityRecord, compare_with_keras

THRESHOLD = 0.5


def export_bundle(run_dir: Path, out: Path, keras: bool = False, card_text: str = "") -> Path:
    """Write the bundle of the variant that validation chose.

    Args:
        run_dir: a run folder whose stages s01 to s05 are done; s06's comparison is used where it is there.
        out: the bundle's folder; an existing bundle there is replaced whole, at the end.
        keras: add the run's Keras networks (``keras/*.weights.h5`` and ``.json``).
        card_text: Markdown added to the model card's section on data.

    Raises:
        MissingArtifactError, StaleArtifactError: the run is not finished or not up to date.
        CorruptArtifactError: an artifact was changed, or ONNX and Keras differ by more than 1e-4.
        UsageError: ``out`` exists and is not a bundle.
    """
    run_dir, out = Path(run_dir), Path(out)
    refuse_foreign_folder(out)
    source = FinishedRun(run_dir)
    backbones, read_by = collect_backbones(source)
    networks = _compose(source)
    names = class_names(source.dataset)
    with staged_bundle(out) as folder:
        _write_onnx(folder, source, backbones, networks, names)
        parity = _check_parity(folder, source, backbones, read_by, networks)
        if keras:
            _copy_keras(source, backbones, folder / "keras")
        document = pack_largest(folder, _document(source, backbones, read_by, names, parity))
        card = CardFacts(document, source.dataset, data_terms=read_terms(source), extra_text=card_text, files=file_table(folder))
        atomic_write_text(folder / "MODEL_CARD.md", write_card(card))
        write_description(folder, document)
    return out


def read_terms(source: FinishedRun) -> list[dict]:
    """Sources and licences of the run's scans (see ``data_terms``)."""
    from pipeline.export.card.data_terms import data_terms

    return data_terms(source)


def class_names(dataset: dict[str, Any]) -> list[str]:
    """``[negative, positive]``; several negative classes are named together."""
    positive = dataset["positive_class"]
    return [" or ".join(name for name in dataset["class_names"] if name != positive), positive]


def _compose(source: FinishedRun) -> dict[str, Any]:
    shared = source.load_network(f"shared_{source.variant}")
    networks = {
        modality: composed.compose_modality(modality, composed.ModalityParts(
            task_embedder=source.load_network(f"embedder_{modality}_task"),
            task_extractor=source.load_network(f"task_extractor_{modality}"),
            shared_embedder=source.load_network(f"embedder_{modality}_shared"),
            shared_extractor=shared,
            head=source.load_network(f"head_{modality}"),
        ))
        for modality in MODALITIES
    }  # fmt: skip
    return {**networks, "paired": composed.compose_paired(source.load_network("head_paired"))}


def outputs_of(name: str) -> tuple[str, ...]:
    """Output names of a bundle's network: ``xray``, ``ct`` or ``paired``."""
    return composed.PAIRED_OUTPUTS if name == "paired" else composed.MODALITY_OUTPUTS


def _write_onnx(
    folder: Path, source: FinishedRun, backbones: dict[str, StoredBackbone], networks: dict, names: list[str]
) -> None:
    metadata = graph_metadata(names, source.dataset["positive_class"], SYSTEM, SCHEMA_VERSION)
    graphs = {b.file: convert_network(b.network, composed.BACKBONE_OUTPUTS, metadata) for b in backbones.values()}
    graphs |= {f"{name}.onnx": convert_network(network, outputs_of(name), metadata) for name, network in networks.items()}
    for graph in graphs.values():
        store_as_float16(graph, require=source.stored_precision == "float16")
    write_graphs(graphs, folder)


def _check_parity(
    folder: Path, source: FinishedRun, backbones: dict[str, StoredBackbone], read_by: dict[str, str], networks: dict
) -> dict:
    record = ParityRecord()
    backbone_graphs = {key: Graph(folder / backbone.file) for key, backbone in backbones.items()}
    graphs = {name: Graph(folder / f"{name}.onnx") for name in networks}
    for key, backbone in backbones.items():
        compare_with_keras(record, f"backbone_{key}", backbone_graphs[key], backbone.network, composed.BACKBONE_OUTPUTS)
    for name, network in networks.items():
        compare_with_keras(record, name, graphs[name], network, outputs_of(name))
    features = compare_backbone_rows(record, source, read_by, backbone_graphs)
    compare_stored_rows(record, source, graphs)
    compare_whole_path(record, source, graphs, features)
    return record.document()


def _copy_keras(source: FinishedRun, backbones: dict[str, StoredBackbone], folder: Path) -> None:
    folder.mkdir()
    parts = {f"backbone_{b.key}": source.network_files(b.run_name) for b in backbones.values()}
    shared = f"shared_{source.variant}"
    names = [f"embedder_{m}_{r}" for m in MODALITIES for r in ROLES]
    names += [f"task_extractor_{m}" for m in MODALITIES] + [shared] + [f"head_{n}" for n in (*MODALITIES, "paired")]
    parts |= {name: source.network_files(name) for name in names}
    for name, (weights, architecture) in parts.items():
        shutil.copyfile(weights, folder / f"{name}.weights.h5")
        shutil.copyfile(architecture, folder / f"{name}.json")


def _document(
    source: FinishedRun, backbones: dict[str, StoredBackbone], read_by: dict[str, str], names: list[str], parity: dict
) -> dict:
    profile_of = {name: source.embedders[name]["profile"] for name in read_by}
    return {
        "system": SYSTEM,
        "variant": source.variant,
        "class_names": names,
        "positive_class": source.dataset["positive_class"],
        "threshold": THRESHOLD,
        "profiles": {name: source.dataset["profiles"][name] for name in sorted(set(profile_of.values()))},
        "backbones": {key: backbone.entry() for key, backbone in backbones.items()},
        "modalities": {
            modality: {
                "network": f"{modality}.onnx",
                "embedders": {
                    role: {"backbone": read_by[f"{modality}_{role}"], "profile": profile_of[f"{modality}_{role}"]}
                    for role in ROLES
                },
            }
            for modality in MODALITIES
        },
        "paired": {"network": "paired.onnx"},
        "figures": read_figures(source),
        "parity": parity,
        "training": {
            "seed": source.run.config.get("seed"),
            "config": without_folders(source.run.config),
            "packages": source.packages(),
            "warnings": source.warnings(),
        },
        "stored_precision": source.stored_precision,
    }
